import { Writable } from 'node:stream';

import winston from 'winston';

import { datagrams } from './datagram.ts';

/** Severities of syslog(3), as levels of winston. */
export const SEVERITY = { err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
export type Level = keyof typeof SEVERITY;

// <syslog.h>
const FACILITY_DAEMON = 3;

/** Transport to the local syslog socket, like syslog(3). Drops lines that cannot be sent. */
export const syslog = (tag: string, socketPath = '/dev/log') => {
  const send = datagrams(socketPath);
  return new winston.transports.Stream({
    stream: new Writable({ decodeStrings: false, write: (line: string, _, next) => (send(line), next()) }),
    eol: '',
    format: winston.format.printf(
      ({ level, message }) =>
        `<${FACILITY_DAEMON * 8 + SEVERITY[level as Level]}>${tag}[${process.pid}]: ${String(message)}`,
    ),
  });
};
