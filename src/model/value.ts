import type { ValueType } from './metric.ts';

/** Result of a check. `unit`: word found behind the number and removed from `value`. */
export type Checked =
  | { readonly ok: true; readonly value: string; readonly unit?: string }
  | { readonly ok: false; readonly reason: string };

const RANGES = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const;

const INTEGER = /^([+-]?\d+)(\.\d*)?$/;
const REAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
// Unit that scripts print behind a number, such as `s`, ` KiB`, `%`, ` MB/s`: one word without digits.
const UNIT = /[\p{L}%°/]*[\p{L}%°][\p{L}%°/]*$/u;
const MAX_UNIT = 16;
const NOT_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/** Removes characters that XML 1.0 forbids even as references: most controls, lone surrogates, U+FFFE, U+FFFF. */
export const removeInvalidXml = (text: string): string => text.replace(NOT_XML, '');

/** Escapes untrusted text as printable ASCII of at most `max` characters; truncated text ends in `...`. */
export const escapeForLog = (text: string, max = 512): string => {
  let escaped = '';
  let whole = '';
  for (const character of text) {
    escaped += escapeCharacter(character);
    if (escaped.length > max) return `${whole}...`;
    if (escaped.length <= max - 3) whole = escaped;
  }
  return escaped;
};

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

const escapeCharacter = (character: string): string => {
  if (/[ -[\]-~]/.test(character)) return character;
  return SHORT[character] ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;
};

/** Decodes the output of an action as UTF-8; invalid bytes become U+FFFD. */
export const decodeOutput = (bytes: Uint8Array): string => new TextDecoder('utf-8').decode(bytes);

/**
 * Checks and trims a value for publication: not empty, within the range of the type, otherwise as printed. Removes the
 * decimal part of integers (scripts print `2932.000000` for uint64; readers cut it too) and a unit behind a number
 * (strtod(3) in readers stops there).
 */
export const checkValue = (type: ValueType, text: string): Checked => {
  const value = (type === 'string' ? removeInvalidXml(text) : text).trim();
  if (value === '') return { ok: false, reason: 'empty value' };
  if (type === 'string') return { ok: true, value };
  const checked = checkNumber(type, value);
  const parts = checked.ok ? undefined : splitUnit(value);
  const without = parts && checkNumber(type, parts.number);
  return without?.ok === true ? { ...without, unit: parts!.unit } : checked;
};

const splitUnit = (value: string): { readonly number: string; readonly unit: string } | undefined => {
  const unit = UNIT.exec(value.slice(-MAX_UNIT))?.[0];
  if (unit === undefined) return undefined;
  const printed = value.slice(0, -unit.length);
  const number = printed.trimEnd();
  if (!/\d$/.test(number) || printed.includes('\n')) return undefined;
  // The rest of an exponent (`1e`) or of a hexadecimal number (`0xff`) is not a unit.
  return printed === number && /^(?:e$|x)/i.test(unit) ? undefined : { number, unit };
};

const checkNumber = (type: Exclude<ValueType, 'string'>, value: string): Checked =>
  type === 'real32' || type === 'real64' ? checkReal(type, value) : checkInteger(type, value);

const refuse = (value: string, what: string): Checked => ({
  ok: false,
  reason: `"${escapeForLog(value, 64)}" is ${what}`,
});

const checkInteger = (type: keyof typeof RANGES, value: string): Checked => {
  const [, whole, decimals] = INTEGER.exec(value) ?? [];
  if (whole === undefined) return refuse(value, `not a number for ${type}`);
  const [least, most] = RANGES[type];
  // BigInt is slow for 64 KiB of digits.
  const number = Number.isFinite(Number(whole)) ? BigInt(whole) : undefined;
  if (number === undefined || number < least || number > most) return refuse(value, `out of range for ${type}`);
  return { ok: true, value: decimals === undefined ? value : String(number) };
};

const checkReal = (type: 'real32' | 'real64', value: string): Checked => {
  if (!REAL.test(value)) return refuse(value, `not a number for ${type}`);
  const number = Number(value);
  const fits = Number.isFinite(type === 'real32' ? Math.fround(number) : number);
  return fits ? { ok: true, value } : refuse(value, `out of range for ${type}`);
};

/** Formats a statistic for publication: reals with six decimals, integers truncated toward zero without loss. */
export const formatStat = (type: ValueType, value: number | bigint | string, scale = 1): Checked => {
  if (typeof value === 'string') return checkValue(type, value);
  if (typeof value === 'number' && !Number.isFinite(value)) return refuse(String(value), 'not a number');
  if (type === 'string') return checkValue(type, String(scale === 1 ? value : Number(value) * scale));
  if (type === 'real32' || type === 'real64') {
    const real = Number(value) * scale;
    // Fast path, without patterns: a number that fits real64 anyway.
    if (type === 'real64' && Number.isFinite(real)) return { ok: true, value: sixDecimals(real) };
    return checkValue(type, sixDecimals(real));
  }
  const integer = toInteger(value, scale);
  // Fast path: fits the integer type.
  const most = type === 'int64' || type === 'uint64' ? Number.MAX_SAFE_INTEGER : 0x7fffffff;
  if (integer >= 0 && integer <= most) return { ok: true, value: String(integer) };
  return checkValue(type, String(integer));
};

const sixDecimals = (value: number): string =>
  Math.abs(value) < 1e21 || !Number.isFinite(value) ? value.toFixed(6) : `${BigInt(value)}.000000`;

const toInteger = (value: number | bigint, scale: number): bigint | number => {
  const product = Number(value) * scale;
  if (!Number.isFinite(product)) return product;
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return BigInt(Math.trunc(product));
  // Binary floating point is exact for powers of two, such as 1, or KiB to MiB.
  if (Number.isInteger(Math.log2(scale)) && Number.isSafeInteger(Number(value))) return Math.trunc(product);
  // In decimal, as the scale is written: binary floating point would truncate some products one too low.
  const [mantissa, exponent] = scale.toExponential().split('e') as [string, string];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  const digits = BigInt(value) * BigInt(whole + fraction);
  const power = Number(exponent) - fraction.length;
  return power >= 0 ? digits * 10n ** BigInt(power) : digits / 10n ** BigInt(-power);
};
