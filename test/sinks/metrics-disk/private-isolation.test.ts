import { readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import type { KnownDomain } from '../../../src/model/metric.ts';
import { ofDomain, sample } from '../../../src/testing/snapshots.ts';
import { directories, documentOn } from './harness.ts';
import { change, known, startPrivate, tick, uuidOf } from './private-harness.ts';

const { make, removeAll } = directories();

afterEach(removeAll);

/** Returns a generator of repeatable numbers below `bound`. */
const random = (seed: number) => {
  let state = seed;
  return (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
};

/** A mark of one domain that its values and names repeat, so that a few bytes of them identify it. */
const markOf = (id: number): string => `<${String.fromCharCode(97 + id).repeat(3)}>`;
const escapedMark = (id: number): string => String.fromCharCode(97 + id).repeat(3);
const DOMAINS = Array.from({ length: 12 }, (_, id) => id);

describe('FAULTS 69: private disks over a run with starts, stops, renames and values of very different lengths', () => {
  it.each([1, 2, 3])('FAULTS 69: hold no byte of another domain, nor is one written to them (run %d)', (seed) => {
    const folder = join(make(), 'disks');
    const next = random(seed);
    const writes: { readonly fd: number; readonly text: string }[] = [];
    const disks = startPrivate(folder, {
      pwrite: (fd, bytes, offset, length, position) => {
        writes.push({ fd, text: Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1') });
        return writeSync(fd, bytes, offset, length, position);
      },
    });
    const uuids = new Map(DOMAINS.map((id) => [uuidOf(id), id]));
    const foreign = (text: string, id: number): readonly number[] =>
      DOMAINS.filter((other) => other !== id && (text.includes(escapedMark(other)) || text.includes(uuidOf(other))));
    let scanned = 0;
    let largest = 0;
    for (let round = 1; round <= 150; round += 1) {
      const there = DOMAINS.filter(() => next(5) > 0);
      const domains = there.map((id): KnownDomain => {
        const name = `${markOf(id)} ${markOf(id).repeat(next(20))} ${next(1000)}`;
        return known(id, { name, running: next(4) > 0 });
      });
      const domainMetrics = domains
        .filter(({ id }) => id !== undefined && next(6) > 0)
        .map(({ id = 0 }) => {
          const long = markOf(id).repeat(next(3) === 0 ? next(8000) : next(5));
          const samples = Array.from({ length: next(4) }, (_, at) => sample(`${markOf(id)}${at}`, `${round}${long}`));
          const { domain } = ofDomain(id);
          return { domain: { ...domain, id: id + 100 * round, name: markOf(id) }, samples };
        });
      const value = tick(round, domains, domainMetrics, [sample('H', `host ${'Z'.repeat(next(3000))}`)]);
      disks.publish(next(3) === 0 ? change(value) : value);
      for (const file of readdirSync(folder)) {
        const bytes = readFileSync(join(folder, file));
        const id = uuids.get(file.replace('.disk', ''));
        expect(id, file).toBeDefined();
        expect(foreign(bytes.toString('latin1'), id ?? -1), `${file} in round ${round}`).toEqual([]);
        // Checks that the disk is valid and has nothing behind the document.
        largest = Math.max(largest, documentOn(join(folder, file)).length);
        scanned += 1;
      }
    }
    disks.stop();
    // Readers could also see each single write, so no write may have text of two domains.
    for (const { text } of writes)
      expect(DOMAINS.filter((id) => text.includes(escapedMark(id)) || text.includes(uuidOf(id))).length).toBeLessThan(
        2,
      );
    expect(scanned).toBeGreaterThan(1000);
    expect(largest).toBeGreaterThan(10_000);
    expect(writes.some(({ text }) => text.includes(escapedMark(3)))).toBe(true);
  });

  it('FAULTS 69: a document that is taken over has nothing of what stood behind it, once it is replaced', () => {
    const folder = make();
    const first = startPrivate(folder);
    first.publish(tick(1, [known(1)]));
    first.stop();
    const bytes = readFileSync(first.pathOf(1));
    bytes.write('of another domain', 5000);
    writeFileSync(first.pathOf(1), bytes);
    const second = startPrivate(folder);
    second.publish(tick(2, [known(1)]));
    second.stop();
    expect(readFileSync(first.pathOf(1)).includes('another')).toBe(false);
  });
});
