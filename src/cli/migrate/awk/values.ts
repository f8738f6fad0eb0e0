import { refuse } from '../not-understood.ts';

/** A field of the input: text that counts as a number where it looks like one. */
export class Field {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of awk; undefined: a variable that was never set, at once "" and 0. */
export type Value = number | string | Field | undefined;

const NUMBER = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/;
const looksNumeric = (text: string): boolean => (NUMBER.exec(text)?.[0].length ?? -1) === text.trimEnd().length;

export const toNumber = (value: Value): number => {
  if (typeof value === 'number') return value;
  const text = value instanceof Field ? value.text : (value ?? '');
  return Number(NUMBER.exec(text)?.[0] ?? 0);
};

/** A whole number as it is, any other with six significant digits (OFMT and CONVFMT of awk). */
export const toText = (value: Value): string => {
  if (value === undefined) return '';
  if (value instanceof Field) return value.text;
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return refuse('computes no number');
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [, mantissa = '', sign = '', exponent = ''] = /^([^e]*)(?:e([-+])(\d+))?$/.exec(value.toPrecision(6)) ?? [];
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  return sign === '' ? short : `${short}e${sign}${exponent.padStart(2, '0')}`;
};

export const isNumeric = (value: Value): boolean =>
  typeof value === 'number' || value === undefined || (value instanceof Field && looksNumeric(value.text));

export const isTrue = (value: Value): boolean => (isNumeric(value) ? toNumber(value) !== 0 : toText(value) !== '');
