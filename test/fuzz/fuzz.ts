import { performance } from 'node:perf_hooks';

import fc from 'fast-check';

/** Number of cases of each fuzz test: FUZZ_RUNS of the environment, else 100,000. */
export const RUNS = Number(process.env['FUZZ_RUNS'] ?? 100_000);

/** FUZZ_SEED of the environment, else a random seed. It is printed, so that a run can be repeated. */
export const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Milliseconds, for a test of 10^6 cases on a busy machine. */
export const TIMEOUT = 60_000 + RUNS * 10;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Runs `check` on values of an arbitrary that count as `casesEach` cases each. Prints the seed before, and the number
 * of cases and the time after; throws with the smallest value that fails.
 */
export const fuzz = <T>(what: string, arbitrary: fc.Arbitrary<T>, check: (value: T) => void, casesEach = 1): void => {
  const numRuns = Math.ceil(RUNS / casesEach);
  say(`fuzz: ${what}: FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}`);
  const start = performance.now();
  // The check of a large batch finds the failing case itself, faster than fast-check does.
  fc.assert(fc.property(arbitrary, check), { seed: SEED, numRuns, endOnFailure: casesEach >= 1000 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`fuzz: ${what}: ${(numRuns * casesEach).toLocaleString('en-US')} cases in ${seconds} s`);
};

/** Joins random fragments: hostile texts are far more frequent than with random characters. */
export const joined = (fragments: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...fragments), { maxLength }).map((parts) => parts.join(''));
