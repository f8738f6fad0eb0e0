import { escapeForLog } from '../../model/value.ts';

const UNICODE = [...'▁▂▃▄▅▆▇█'];
const ASCII = [...'_.-:=+*#'];

/** Characters drawn besides printable ASCII, each one cell wide. */
export const DRAWN = [...UNICODE, '…', '↓', '↑'].join('');

/** Escapes untrusted text as printable ASCII and cuts it to a number of cells. */
export const printable = (text: string, width: number, unicode: boolean): string => {
  const escaped = escapeForLog(text, 4 * Math.max(width, 64));
  if (escaped.length <= width) return escaped;
  return width < 1 ? '' : `${escaped.slice(0, width - 1)}${unicode ? '…' : '~'}`;
};

/** Draws shares as a row of bars, the newest at the right; older ones than `width` are dropped. `full`: a full bar. */
export const bars = (shares: readonly number[], full: number, width: number, unicode: boolean): string => {
  const levels = unicode ? UNICODE : ASCII;
  const level = (share: number): string =>
    levels[Math.min(levels.length - 1, Math.max(0, Math.round((share / full) * (levels.length - 1))))] ?? ' ';
  return (width < 1 ? [] : shares.slice(-width)).map(level).join('').padStart(width);
};

/** Formats a number in at most 5 cells, such as `0.25`, `1234`, `12.3M`, `1e+20`; undefined as a dash. */
export const compact = (value: number | undefined): string => {
  if (value === undefined || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size < 99_999.5) return Number.isInteger(value) ? String(value) : threeDigits(value);
  const power = Math.min(4, Math.floor(Math.log10(size) / 3));
  if (size >= 1e15) return value.toExponential(0);
  return `${threeDigits(value / 1000 ** power)}${' kMGT'[power]}`;
};

/** Formats bytes in at most 5 cells, in units of 1,024, such as `512M` or `1.50G`; undefined as a dash. */
export const bytes = (value: number | undefined): string => {
  if (value === undefined || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size < 1024) return String(Math.round(value));
  // From 1000 KiB on the unit is MiB, so that three digits are enough.
  const power = Math.min(
    6,
    Math.floor(Math.log2(size) / 10) + (size / 1024 ** Math.floor(Math.log2(size) / 10) >= 999.5 ? 1 : 0),
  );
  return `${threeDigits(value / 1024 ** power)}${' KMGTPE'[power]}`;
};

/** Formats a share in % with one decimal, or none from 1,000 on; undefined as a dash. */
export const percent = (value: number | undefined): string => {
  if (value === undefined || !Number.isFinite(value)) return '-';
  return Math.abs(value) < 999.95 ? value.toFixed(1) : compact(Math.round(value));
};

const threeDigits = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  return value.toFixed(size >= 9.995 ? 1 : 2);
};
