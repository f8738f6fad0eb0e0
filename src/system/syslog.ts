import { datagrams } from './datagram.ts';

// <syslog.h>
const FACILITY_DAEMON = 3;

/** Returns a function that sends lines to the local syslog socket, like syslog(3). Drops lines that cannot be sent. */
export const toSyslog = (tag: string, socketPath = '/dev/log'): ((severity: number, message: string) => void) => {
  const send = datagrams(socketPath);
  return (severity, message) => {
    send(`<${FACILITY_DAEMON * 8 + severity}>${tag}[${process.pid}]: ${message}`);
  };
};
