import { readFileSync, writeFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { DOMAIN_STATS, findStat, HOST_STATS, mayBeNew, STATS_GROUP } from '../../src/model/statistics.ts';
import type { StatName } from '../../src/model/statistics.ts';

const DOCS = new URL('../../docs/stats.md', import.meta.url);

const rows = (stats: readonly StatName[]): string =>
  ['| name | type | meaning |', '|---|---|---|']
    .concat(stats.map(({ name, type, meaning }) => `| \`${name}\` | ${type} | ${meaning} |`))
    .join('\n');

/** Puts the tables between the marks of docs/stats.md. */
const generate = (text: string): string =>
  Object.entries({ host: HOST_STATS, domain: DOMAIN_STATS }).reduce(
    (page, [mark, stats]) =>
      page.replace(
        new RegExp(`(<!-- ${mark}: begin -->\n)[^]*?(<!-- ${mark}: end -->)`),
        (_whole, begin: string, end: string) => `${begin}${rows(stats)}\n${end}`,
      ),
    text,
  );

describe('docs/stats.md', () => {
  it('has exactly the names, types and meanings that the daemon knows (UPDATE_DOCS=1 rewrites it)', () => {
    const page = readFileSync(DOCS, 'utf8');
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCS, generate(page));
    const written = [...readFileSync(DOCS, 'utf8').matchAll(/^\| `(.*?)` \| (\w+) \| (.*) \|$/gm)];
    expect(written.map(([, name, type, meaning]) => ({ name, type, meaning }))).toEqual([
      ...HOST_STATS,
      ...DOMAIN_STATS,
    ]);
  });
});

describe('docs/stats.md, besides its tables', () => {
  it.each(['kernel.sched_schedstats=1', 'dommemstat GUEST --period', '--uts=host', 'ZFS', 'psi=1'])(
    'CASE E12: says what values depend on: %s',
    (text) => expect(readFileSync(DOCS, 'utf8')).toContain(text),
  );
});

describe('a name in <stat>', () => {
  it('is listed once', () => {
    for (const stats of [HOST_STATS, DOMAIN_STATS]) {
      const names = stats.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it('has a number or an asterisk where the table has #', () => {
    expect(findStat('vm', 'vcpu.0.time')?.name).toBe('vcpu.#.time');
    expect(findStat('vm', 'vcpu.12.delay')?.name).toBe('vcpu.#.delay');
    expect(findStat('vm', 'net.*.rx.bytes')?.type).toBe('uint64');
    expect(findStat('vm', 'memory.bandwidth.monitor.0.node.*.bytes.local')).toBeDefined();
  });

  it('is unknown if any part of it is not in the table, or in the other context', () => {
    for (const name of [
      'vcpu.x.time',
      'vcpu..time',
      'vcpu.time',
      'xcpu.time',
      'cpu.time.',
      'host.time',
      'cpuxtime',
      '',
    ]) {
      expect(findStat('vm', name), name).toBeUndefined();
    }
    expect(findStat('host', 'cpu.time')).toBeUndefined();
  });

  it('CASE B4: is of a known group, wherever the table has it', () => {
    for (const { name } of DOMAIN_STATS) {
      expect(Object.keys(STATS_GROUP)).toContain(name.split('.')[0]);
      expect(mayBeNew(name.replaceAll('#', '0').replaceAll('?', 'x')), name).toBe(true);
    }
    expect(mayBeNew('toString.x')).toBe(false);
  });
});
