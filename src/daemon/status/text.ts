import type { Status } from './status.ts';
import { duration, vmsText } from '../../model/duration.ts';

const MOST = 10;
const WIDTH = 500;

// Escapes control characters, so that a line stays one line.
const line = (text: string): string => {
  const shown = text.replaceAll(/[^ -~]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return shown.length > WIDTH ? `${shown.slice(0, WIDTH - 3)}...` : shown;
};

const about = ({ version, pid, uptimeSeconds, snapshot, libvirt }: Status): string => {
  const published =
    snapshot === undefined
      ? 'no snapshot yet'
      : `${vmsText(snapshot.domains, snapshot.runningDomains, libvirt?.up === false)}, snapshot ${duration(snapshot.ageSeconds * 1000)} old`;
  return `${published}, up ${duration(uptimeSeconds * 1000)} (vhostmd ${version}, process ${pid})`;
};

const sinkLine = ({ name, lastWrite }: Status['sinks'][number]): string =>
  lastWrite === undefined
    ? `${name}: nothing written yet`
    : `${name}: ${duration(lastWrite.ageSeconds * 1000)} ago, ${lastWrite.message}`;

const shortened = (lines: readonly string[], most: number): readonly string[] =>
  lines.length <= most
    ? lines
    : [...lines.slice(0, most - 1), `and ${lines.length - most + 1} more, see vhostmd status --json`];

/** Formats the status as text of at most ten lines: well, or the problems. */
export const statusLines = (status: Status): readonly string[] => {
  const { well, troubles, libvirt, sinks } = status;
  const first = well ? `Well: ${about(status)}` : `Not well: ${about(status)}`;
  const more = well
    ? [...sinks.map(sinkLine), ...(libvirt?.up === true ? [`libvirt: connected to ${libvirt.product}`] : [])]
    : troubles.map(({ text }) => text);
  return [first, ...shortened(more, MOST - 1).map((text) => `  ${text}`)].map(line);
};

/** Formats data as JSON in ASCII, which cannot control a terminal. */
export const asciiJson = (data: unknown, indent = 0): string =>
  JSON.stringify(data, undefined, indent).replaceAll(
    /[^\n -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
