/** How the values of a sample host are chosen. */
export interface Profile {
  readonly seed: number;
  /** Factor of all values: a text that works for usual ones may fail for others. */
  readonly size: number;
  /** All memory in whole MiB and all times in tenths of a second, so that no pipeline has to round. */
  readonly exact: boolean;
  readonly pageSize: number;
}

/** Number of the first profiles, with usual values. */
export const USUAL = 3;
/** After the usual ones a huge, a tiny and an empty host. */
export const PROFILES: readonly Profile[] = [
  { seed: 11, size: 1, exact: true, pageSize: 4096 },
  { seed: 12, size: 1, exact: true, pageSize: 65_536 },
  { seed: 13, size: 1, exact: false, pageSize: 4096 },
  { seed: 14, size: 100_000, exact: false, pageSize: 16_384 },
  { seed: 15, size: 0.000_001, exact: false, pageSize: 4096 },
  { seed: 16, size: 0, exact: false, pageSize: 4096 },
];

/** Chooses values: different ones for different names and profiles, the same at each run. */
export interface Choice {
  /** A whole number of a usual range, which need not be exact. */
  readonly count: (least: number, most: number) => number;
  /** KiB of memory. */
  readonly memory: (least: number, most: number) => number;
  /** Hundredths of a second. */
  readonly ticks: (least: number, most: number) => number;
  /** Pages of swap. */
  readonly pages: (least: number, most: number) => number;
  /** A whole number that is the same range on huge and empty hosts, such as a number of CPUs. */
  readonly small: (least: number, most: number) => number;
  readonly word: () => string;
}

/** Numbers from 0 to 1 that look random, the same at each run (mulberry32). */
const randomOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state += 0x6d2b79f5;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

export const choiceOf = ({ seed, size, exact }: Profile): Choice => {
  const random = randomOf(seed);
  const between = (least: number, most: number): number => least + random() * (most - least);
  const multiple = (of: number) => (least: number, most: number) => {
    const number = Math.floor(between(least, most) * size);
    return exact ? number - (number % of) : number;
  };
  return {
    count: multiple(1),
    memory: multiple(1024),
    ticks: multiple(10),
    pages: multiple(256),
    small: (least, most) => Math.floor(between(least, most)),
    word: () => Math.floor(random() * 1e6).toString(36),
  };
};
