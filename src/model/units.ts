/** A unit as a multiple of a base unit. */
export interface BaseUnit {
  readonly base: 'bytes' | 'seconds' | 'ratio' | 'hertz' | 'watts' | 'volts' | 'amperes' | 'joules' | 'celsius';
  /** Multiplies a value into the base unit. */
  readonly factor: number;
}

const of = (base: BaseUnit['base'], factor: number, ...names: readonly string[]): readonly [string, BaseUnit][] =>
  names.map((name) => [name, { base, factor }]);

// Keys are in lower case. `kB` is 1,024 bytes, as in /proc/meminfo, free, iostat and `<size unit="k">`.
const UNITS: ReadonlyMap<string, BaseUnit> = new Map([
  ...of('bytes', 1, 'b', 'byte', 'bytes'),
  ...of('bytes', 2 ** 10, 'k', 'kb', 'kib', 'kilobytes', 'kibibytes'),
  ...of('bytes', 2 ** 20, 'm', 'mb', 'mib', 'megabytes', 'mebibytes'),
  ...of('bytes', 2 ** 30, 'g', 'gb', 'gib', 'gigabytes', 'gibibytes'),
  ...of('bytes', 2 ** 40, 't', 'tb', 'tib', 'terabytes', 'tebibytes'),
  ...of('seconds', 1e-9, 'ns', 'nsec', 'nanoseconds'),
  // U+00B5 is the micro sign, U+03BC the Greek letter mu.
  ...of('seconds', 1e-6, 'us', 'usec', '\u00b5s', '\u03bcs', 'microseconds'),
  ...of('seconds', 1e-3, 'ms', 'msec', 'milliseconds'),
  ...of('seconds', 1, 's', 'sec', 'secs', 'second', 'seconds'),
  ...of('seconds', 60, 'min', 'minutes'),
  ...of('seconds', 3600, 'h', 'hours'),
  ...of('seconds', 86_400, 'd', 'days'),
  ...of('ratio', 0.01, '%', 'percent'),
  ...of('hertz', 1, 'hz'),
  ...of('hertz', 1e3, 'khz'),
  ...of('hertz', 1e6, 'mhz'),
  ...of('hertz', 1e9, 'ghz'),
  ...of('watts', 1, 'w'),
  ...of('volts', 1, 'v'),
  ...of('amperes', 1, 'a'),
  ...of('joules', 1, 'j'),
  ...of('celsius', 1, '\u00b0c'),
]);

/** Looks up a unit of a configuration or a document, ignoring case; undefined if it is unknown. */
export const baseUnit = (text: string): BaseUnit | undefined => UNITS.get(text.trim().toLowerCase());
