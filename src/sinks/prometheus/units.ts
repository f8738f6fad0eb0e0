/** A unit of Prometheus (base units only) and what a value must be multiplied with to be in it. */
export interface Unit {
  /** Ending of the metric's name; empty: none. */
  readonly name: string;
  readonly factor: number;
}

export const NO_UNIT: Unit = { name: '', factor: 1 };

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  byte: 1,
  bytes: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};
const TIMES: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  sec: 1,
  second: 1,
  seconds: 1,
  min: 60,
  minutes: 60,
  h: 3600,
  hours: 3600,
  d: 86_400,
  days: 86_400,
};
const OTHERS: Readonly<Record<string, Unit>> = {
  '%': { name: 'ratio', factor: 0.01 },
  percent: { name: 'ratio', factor: 0.01 },
  hz: { name: 'hertz', factor: 1 },
  khz: { name: 'hertz', factor: 1e3 },
  mhz: { name: 'hertz', factor: 1e6 },
  ghz: { name: 'hertz', factor: 1e9 },
  w: { name: 'watts', factor: 1 },
  v: { name: 'volts', factor: 1 },
  a: { name: 'amperes', factor: 1 },
  j: { name: 'joules', factor: 1 },
  '°c': { name: 'celsius', factor: 1 },
};

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

const known = (text: string): Unit | undefined => {
  const size = own(SIZES, text);
  if (size !== undefined) return { name: 'bytes', factor: size };
  const time = own(TIMES, text);
  return time === undefined ? own(OTHERS, text) : { name: 'seconds', factor: time };
};

/** Text as a part of a metric's name: lower case, digits and single underscores. */
export const nameOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');

/** The unit that a `unit` attribute means; one that is not known becomes the ending of the name as it is. */
export const unitOf = (text: string | undefined): Unit => {
  if (text === undefined) return NO_UNIT;
  const [amount = '', per, ...more] = text.trim().toLowerCase().split('/');
  if (per === 's' && more.length === 0) {
    const base = amount === '' ? NO_UNIT : (known(amount) ?? { name: nameOf(amount).slice(0, 30), factor: 1 });
    return { name: base.name === '' ? 'per_second' : `${base.name}_per_second`, factor: base.factor };
  }
  return known(amount) !== undefined && per === undefined
    ? (known(amount) ?? NO_UNIT)
    : { name: nameOf(text).slice(0, 30), factor: 1 };
};
