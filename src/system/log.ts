import { fstatSync } from 'node:fs';

import winston from 'winston';

import { type Level, SEVERITY, syslog } from './syslog.ts';

/** Logs one line for the administrator. `component` names the part of the daemon. */
export type Log = (level: Level, component: string, message: string) => void;

// Escapes control characters, so that no message can forge a second line.
const printable = winston.format((info) => {
  info.message = String(info.message).replaceAll(
    /[^ -~]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return info;
});

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
  const { verbose, background } = options;
  const stderr = new winston.transports.Stream({
    stream: process.stderr,
    eol: '\n',
    format: format(stderrIsJournal()),
    ...(background && !verbose ? { level: 'warning' } : {}),
  });
  const logger = winston.createLogger({
    levels: SEVERITY,
    level: verbose ? 'debug' : 'info',
    format: printable(),
    transports: background ? [stderr, syslog('vhostmd')] : stderr,
  });
  // winston formats a line before it looks whether anybody wants its level.
  return (level, component, message) => {
    if (logger.isLevelEnabled(level)) logger.log({ level, message: `${component}: ${message}` });
  };
};
