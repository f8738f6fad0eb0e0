const KIB = 1024;
const MEMORY: ReadonlyMap<string, number> = new Map([
  ...['b', 'byte', 'bytes'].map((name) => [name, 1] as const),
  ...['k', 'kib', 'kb'].map((name) => [name, KIB] as const),
  ...['m', 'mib', 'mb'].map((name) => [name, KIB ** 2] as const),
  ...['g', 'gib', 'gb'].map((name) => [name, KIB ** 3] as const),
  ...['t', 'tib', 'tb'].map((name) => [name, KIB ** 4] as const),
]);
const TIME: ReadonlyMap<string, number> = new Map([
  ...['s', 'sec', 'secs', 'second', 'seconds'].map((name) => [name, 1] as const),
  ...['ms', 'msec', 'milliseconds'].map((name) => [name, 1e-3] as const),
  ...['us', 'usec', '\u00b5s', '\u03bcs', 'microseconds'].map((name) => [name, 1e-6] as const),
  ...['ns', 'nsec', 'nanoseconds'].map((name) => [name, 1e-9] as const),
  ...['min', 'minutes'].map((name) => [name, 60] as const),
  ...['h', 'hours'].map((name) => [name, 3600] as const),
]);

/** What a unit multiplies: bytes of a unit of memory (k is 1,024, as in the configuration), seconds of one of time. */
export const unitFactor = (dimension: 'memory' | 'time', unit: string): number | undefined =>
  (dimension === 'memory' ? MEMORY : TIME).get(unit.trim().toLowerCase());
