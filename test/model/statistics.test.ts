import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { findStat, mayBeNew, STATISTICS, STATS_GROUP } from '../../src/model/statistics.ts';

const DOCS = new URL('../../docs/stats.md', import.meta.url);
const ALL = [...STATISTICS.host, ...STATISTICS.vm];

describe('docs/stats.md', () => {
  it('has exactly the facts of each statistic in the code (npm run docs:man)', () => {
    const page = readFileSync(DOCS, 'utf8');
    const written = [...page.matchAll(/^\| `(.*?)` \| (\w+) \| (\S*) \| (\w*) \| (\S+) \| (.*) \|$/gm)];
    expect(
      written.map(([, name, type, unit, kind, via, meaning]) => ({ name, type, unit, kind, via, meaning })),
    ).toEqual(
      ALL.map(({ name, type, unit, kind, via, meaning }) => ({
        name,
        type,
        unit,
        kind: kind === 'untyped' ? '' : kind,
        via,
        meaning,
      })),
    );
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
    expect(new Set(ALL.map(({ name }) => name)).size).toBe(ALL.length);
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
    // Those of contention and promises are made of libvirt's.
    const isMade = (name: string): boolean => /^(?:contention|promised)\./.test(name);
    const all = STATISTICS.vm.filter(({ name, via }) => via.startsWith('vir') && !isMade(name));
    for (const { name } of all) {
      expect(Object.keys(STATS_GROUP)).toContain(name.split('.')[0]);
      expect(mayBeNew(name.replaceAll('#', '0').replaceAll('?', 'x')), name).toBe(true);
    }
    expect(mayBeNew('toString.x')).toBe(false);
  });
});

describe('a statistic', () => {
  it.each(ALL)('fits its name and its meaning: $name', ({ name, type, unit, kind, meaning }) => {
    if (type === 'string') {
      expect({ unit, kind }).toEqual({ unit: '', kind: 'untyped' });
      return;
    }
    if (/\.rate$|_per_second$/.test(name)) expect(unit).toMatch(/\/s$/);
    else if (/^host\.(memory|swap|virtual|paging)\./.test(name)) expect(unit).toBe('KiB');
    else if (/^balloon\.(?!.*fault|hugetlb|last)/.test(name)) expect(unit).toBe('KiB');
    else if (/\.bytes\b|_alignment|\.(discard|write_zeroes|transfer)_/.test(name)) expect(unit).toBe('B');
    else if (/^host\.(cpu\.|uptime)|\.total$|since 1970/.test(`${name} ${meaning}`)) expect(unit).toBe('s');
    else if (/latency_(min|max|avg)$|-ns$|\.(times?|wait|delay)$|CPU time/.test(`${name} ${meaning}`))
      expect(unit).toBe('ns');
    if (meaning.startsWith('PSI: share')) expect(unit).toBe('%');
    const counts = /since boot|CPU time|time spent|time the virtual|(incom|outgo)ing|requests$|a sum of/.test(meaning);
    if (counts && name !== 'host.uptime' && !name.endsWith('.rate')) expect(kind).toBe('counter');
    if (/current value|maximum|average|free|available|virDomainState|previous tick/.test(meaning))
      expect(kind).toBe('gauge');
  });
});
