import { fstatSync } from 'node:fs';

import winston from 'winston';

import { toSyslog } from './syslog.ts';

// Severities of syslog(3).
const SEVERITY = { err: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
export type Level = keyof typeof SEVERITY;

/** Logs one line for the administrator. `component` names the part of the daemon. */
export type Log = (level: Level, component: string, message: string) => void;

// Escapes control characters, so that no message can forge a second line.
const printable = (text: string): string =>
  text.replaceAll(/[^ -~]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

// Children with another stderr inherit the variable, hence the comparison of device and inode (systemd.exec(5)).
const stderrIsJournal = (journal = process.env['JOURNAL_STREAM']): boolean => {
  if (journal === undefined) return false;
  const { dev, ino } = fstatSync(process.stderr.fd);
  return journal === `${dev}:${ino}`;
};

const format = (journal: boolean) =>
  winston.format.printf(({ level, message }) =>
    journal
      ? `<${SEVERITY[level as Level]}>${String(message)}`
      : `${new Date().toISOString()} ${level.padEnd(7)} ${String(message)}`,
  );

/**
 * Makes the log. In the foreground it writes to stderr: with timestamps, or with the priority in front if that is
 * systemd's journal (sd-daemon(3)). In the background it writes to syslog, and until the start is done also to stderr:
 * warnings and errors, or with `verbose` everything.
 */
export const createLog = (options: { readonly verbose: boolean; readonly background: boolean }): Log => {
  const most = options.verbose ? 'debug' : 'info';
  const logger = winston.createLogger({
    levels: SEVERITY,
    level: most,
    format: format(stderrIsJournal()),
    transports: [
      new winston.transports.Stream({
        stream: process.stderr,
        eol: '\n',
        level: options.background && !options.verbose ? 'warning' : most,
      }),
    ],
  });
  const syslog = options.background ? toSyslog('vhostmd') : undefined;
  return (level, component, message) => {
    const line = printable(`${component}: ${message}`);
    logger.log({ level, message: line });
    if (SEVERITY[level] <= SEVERITY[most]) syslog?.(SEVERITY[level], line);
  };
};
