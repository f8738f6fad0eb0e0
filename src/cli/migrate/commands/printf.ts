import { toNumber, toText, type Value } from '../awk/values.ts';
import { refuse } from '../not-understood.ts';

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\', '"': '"', '/': '/', r: '\r' };

/** Resolves the escapes of a string of awk or a format of printf. */
export const unescaped = (text: string): string =>
  text.replace(/\\([^])/g, (_all, character: string) => ESCAPES[character] ?? refuse(`has the escape \\${character}`));

const pad = (text: string, flags: string, width: number): string =>
  flags.includes('-') ? text.padEnd(width) : text.padStart(width, flags.includes('0') ? '0' : ' ');

/** Formats as printf(1) and awk do, for the conversions %s, %d and %f. `escapes`: the format has escapes still. */
export const formatted = (format: string, values: readonly Value[], escapes = false): string => {
  const left = [...values];
  const text = (escapes ? unescaped(format) : format).replace(
    /%([-0 ]*)(\d*)(?:\.(\d+))?([^])/g,
    (_all, flags: string, width: string, precision: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      const given = left.shift();
      const value = toText(given);
      const number = toNumber(given);
      if (kind === 's')
        return pad(precision === undefined ? value : value.slice(0, Number(precision)), flags, Number(width));
      if (kind === 'd' || kind === 'i') return pad(BigInt(Math.trunc(number)).toString(), flags, Number(width));
      if (kind === 'f') return pad(number.toFixed(Number(precision ?? 6)), flags, Number(width));
      return refuse(`has the conversion %${kind}`);
    },
  );
  return left.length === 0 ? text : refuse('has more values than its format');
};
