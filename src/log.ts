import winston from 'winston';

import { toSyslog } from './syslog.ts';

/** One line for the administrator. `component` names the part of the daemon that speaks. */
export type Log = (level: 'err' | 'warning' | 'notice' | 'info' | 'debug', component: string, message: string) => void;

const LEVELS: Readonly<Record<string, number>> = { err: 3, warning: 4, notice: 5, info: 6, debug: 7 };

const line = winston.format.printf(({ level, message, component, timestamp }) => {
  const text = `${String(component)}: ${String(message)}`;
  return timestamp === undefined ? `<${LEVELS[level] ?? 6}>${text}` : `${String(timestamp)} ${level.padEnd(7)} ${text}`;
});

/**
 * Logs to stderr: with a timestamp, or with the priority in front where systemd's journal reads it (sd-daemon(3)).
 * In the background, where stderr ends with the start, also to syslog.
 */
export const createLog = (options: { readonly verbose: boolean; readonly background: boolean }): Log => {
  const journal = process.env['JOURNAL_STREAM'] !== undefined;
  const logger = winston.createLogger({
    levels: winston.config.syslog.levels,
    level: options.verbose ? 'debug' : 'info',
    format: journal ? line : winston.format.combine(winston.format.timestamp(), line),
    transports: [new winston.transports.Stream({ stream: process.stderr, eol: '\n' })],
  });
  const syslog = options.background ? toSyslog('vhostmd') : undefined;
  return (level, component, message) => {
    const severity = level === 'err' ? 'error' : level;
    logger.log({ level: severity, message, component });
    if (level !== 'debug' || options.verbose) syslog?.(LEVELS[level] ?? 6, `${component}: ${message}`);
  };
};
