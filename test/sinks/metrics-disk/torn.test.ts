import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { readMetrics, scratch, startDaemon, until } from '../../support/daemon.ts';
import { action } from '../../cli/commands/program.ts';

interface Counts {
  readonly accepted: number;
  readonly refused: number;
  readonly torn: number;
  /** Torn reads during which the reader paused for more than DISTANCE updates; these do not count. */
  readonly heldUp: number;
  readonly documents: number;
  /** Longest time without an accepted read, in ms. */
  readonly longest: number;
}

/** Number of accepted reads by each set of rules: TORN_READS of the environment, else 1,000,000. */
const READS = Number(process.env['TORN_READS'] ?? 1_000_000);
const TIMEOUT = 120_000 + READS;
/** A document differs from the latest 4,096 by its sum, and from the latest 1,024 by its end. */
const DISTANCE = { libmetrics: 4000, kubevirt: 1000 };
type Rules = keyof typeof DISTANCE;
/** Milliseconds after which a reader is stuck, even on a busy machine. */
const STUCK = 20_000;
/** Number of groups in the daemon's documents, and of values in each, which come from one action. */
const GROUPS = 8;
const VALUES = 40;
/** Number of different documents of the daemon to read. */
const DOCUMENTS = 15;

const table: string[] = [];
const row = (what: string, { accepted, refused, torn, heldUp, documents, longest }: Counts): void => {
  const numbers = [accepted + refused, accepted, refused, torn, heldUp, documents, Math.round(longest)];
  table.push(`| ${what} | ${numbers.map((number) => number.toLocaleString('en-US')).join(' | ')} |`);
};
afterAll(() => {
  const head = '| who | reads | accepted | refused | torn | torn, held up | documents | longest wait, ms |';
  process.stderr.write(`${head}\n|${' --- |'.repeat(8)}\n${table.join('\n')}\n`);
});

const directories: string[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

const run = (program: string, ...args: readonly (string | number)[]): ChildProcess => {
  const child = fork(new URL(program, import.meta.url), args.map(String));
  children.push(child);
  return child;
};

const reader = async (path: string, rules: Rules, reads: number, most: number, documents: number): Promise<Counts> => {
  const child = run('reader.mjs', path, statSync(path).size, rules, reads, most, documents, DISTANCE[rules], VALUES);
  const [counts] = (await once(child, 'message')) as [Counts];
  return counts;
};

/** Runs writer and reader without a pause, in two processes. */
const race = async (rules: Rules, sums: 'unique' | 'plain', reads: number, most = reads): Promise<Counts> => {
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'metrics-disk-'));
  directories.push(directory);
  const path = join(directory, 'disk');
  await once(run('writer.mjs', path, CHUNK, sums, 250), 'message');
  const counts = await reader(path, rules, reads, most, 0);
  row(`${rules}, ${sums === 'unique' ? 'as it is' : 'sums not unique'}`, counts);
  return counts;
};

describe('readers against a writer without a pause, values of the same sum', { timeout: TIMEOUT }, () => {
  it.each(['libmetrics', 'kubevirt'] as const)(
    'FAULTS 49: by the rules of %s nothing torn is accepted, and nobody is stuck',
    async (rules) => {
      const counts = await race(rules, 'unique', READS);
      expect(counts.torn).toBe(0);
      expect(counts.accepted).toBeGreaterThanOrEqual(READS);
      expect(counts.documents).toBeGreaterThan(READS / 1000);
      expect(counts.longest).toBeLessThan(STUCK);
    },
  );

  it.each(['libmetrics', 'kubevirt'] as const)(
    'FAULTS 49: by the rules of %s torn documents would be found out: without unique sums there are some',
    async (rules) => {
      const counts = await race(rules, 'plain', READS / 10, READS * 10);
      expect(counts.torn).toBeGreaterThan(0);
    },
  );
});

describe('readers of the real daemon', { timeout: TIMEOUT }, () => {
  // Late values are published at once, so actions of 1.1 to 1.5 s cause frequent updates. Each write is delayed by 3
  // ms, so that readers often see the states in between.
  it.each(['libmetrics', 'kubevirt'] as const)(
    'FAULTS 49: by the rules of %s accept nothing torn either',
    async (rules) => {
      const metrics = Array.from({ length: GROUPS }, (_, group) => {
        const pick = `set -- 12345678 21436587 87654321 56781234 18273645; shift $((($(date +%s) + ${group}) % 5))`;
        const print = `printf '%s' $1; for i in ${'x '.repeat(VALUES - 1)}; do printf ',%s' $1; done`;
        const variable = (index: number): string => `<variable name="V${index}" type="uint64"/>`;
        const variables = Array.from({ length: VALUES }, (_unused, index) => variable(index)).join('');
        const command = `sleep ${(1.1 + group * 0.06).toFixed(2)}; ${pick}; ${print}`;
        const metric = action(`G${group}`, command, { type: 'group' });
        return metric.replace('</metric>', `${variables}</metric>`);
      });
      const { directory, disk, config } = scratch(metrics.join(''), { sizeKiB: 64, period: 2 });
      directories.push(directory);
      const daemon = await startDaemon(['-f', config, '-c', 'test:///default']);
      children.push(daemon.child);
      await until('all values', async () => (await readMetrics(disk)).length === GROUPS * VALUES, 30_000);
      const slow = ['-f', '-qq', '-e', 'trace=pwrite64', '-e', 'inject=pwrite64:delay_exit=3000', '-o', '/dev/null'];
      children.push(spawn('strace', [...slow, '-p', String(daemon.child.pid)], { stdio: 'ignore' }));
      const counts = await reader(disk, rules, READS / 10, 0, DOCUMENTS);
      row(`${rules}, the daemon`, counts);
      expect(counts.torn).toBe(0);
      expect(counts.refused).toBeGreaterThan(0);
      expect(counts.longest).toBeLessThan(STUCK);
      await daemon.stop();
    },
  );
});
