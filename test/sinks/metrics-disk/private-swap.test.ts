import {
  chmodSync,
  lchownSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it, vi } from 'vitest';

import type { KnownDomain } from '../../../src/model/metric.ts';
import { directories } from './harness.ts';
import { known, startPrivate, tick, uuidOf } from './private-harness.ts';

const OTHER = 61_238;

// Called after each call with a path.
const spy = vi.hoisted(() => ({ called: (_path: unknown): void => undefined }));
vi.mock(import('node:fs'), async (original) => {
  const fs = await original();
  const told = <F>(work: F): F =>
    ((...args: readonly unknown[]): unknown => {
      try {
        return (work as (...all: readonly unknown[]) => unknown)(...args);
      } finally {
        spy.called(args[0]);
      }
    }) as F;
  return {
    ...fs,
    lstatSync: told(fs.lstatSync),
    statSync: told(fs.statSync),
    readdirSync: told(fs.readdirSync),
    openSync: told(fs.openSync),
    mkdirSync: told(fs.mkdirSync),
    rmdirSync: told(fs.rmdirSync),
  };
});

/** The numbers of up to three calls after which the link appears or disappears. */
const SCHEDULES: readonly (readonly number[])[] = (() => {
  const later = (schedule: readonly number[]): readonly (readonly number[])[] =>
    Array.from({ length: 14 }, (_, call) => call)
      .filter((call) => call > (schedule.at(-1) ?? -1))
      .map((call) => [...schedule, call]);
  const one = later([]);
  const two = one.flatMap(later);
  return [[], ...one, ...two, ...two.flatMap(later)];
})();

const { make, removeAll } = directories();

/** A pattern of disks, its first part in the folder, and the file of another folder that a link in that place names. */
type Way = readonly [pattern: string, own: (uuid: string) => string, target: string];

const FOLDER: Way = ['UUID/disk', (uuid) => uuid, '.'];
const FILE: Way = ['UUID.disk', (uuid) => `${uuid}.disk`, 'disk'];

/** Returns true if disks for these domains change a file of another folder, while a link to it comes and goes. */
const isReached = (
  [pattern, ownOf, target]: Way,
  domains: readonly KnownDomain[],
  there: boolean,
  schedule: readonly number[],
): boolean => {
  const [folder, treasure] = [make(), make()];
  chmodSync(folder, 0o1777);
  // A valid disk that has not been written for long.
  const file = join(treasure, 'disk');
  const bytes = Buffer.alloc(65_536);
  bytes.write('mvbd');
  writeFileSync(file, bytes);
  utimesSync(file, 1, 1);
  const own = join(folder, ownOf(uuidOf(1)));
  let linked = false;
  const swap = (): void => {
    if (linked) unlinkSync(own);
    else {
      try {
        symlinkSync(join(treasure, target), own);
        lchownSync(own, OTHER, OTHER);
      } catch {
        // The daemon owns it, so no other user can replace it.
        return;
      }
    }
    linked = !linked;
  };
  if (there) swap();
  let calls = 0;
  spy.called = (path) => {
    if (path !== folder && path !== own && !String(path).startsWith(`${own}/`)) return;
    if (schedule.includes(calls)) swap();
    calls += 1;
  };
  const disks = startPrivate(folder, { path: join(folder, pattern) });
  disks.publish(tick(1, domains));
  disks.stop();
  spy.called = () => undefined;
  const stats = statSync(file, { throwIfNoEntry: false });
  return readdirSync(treasure).join() !== 'disk' || stats?.mtimeMs !== 1000 || stats.size !== bytes.length;
};

describe('a link that another user puts in the place of a disk or its folder, and takes away', () => {
  it.each([
    ['the folder of a domain that runs', FOLDER, [known(1)]],
    ['the folder of one that is not known', FOLDER, []],
    ['the disk of a domain that runs', FILE, [known(1)]],
    ['the disk of one that is not known', FILE, []],
  ])('CASE F1: leads nowhere at whatever step it comes and goes: %s', (_what, way, domains) => {
    const reached = [true, false].flatMap((there) =>
      SCHEDULES.filter((schedule) => isReached(way, domains, there, schedule)).map((schedule) => ({ there, schedule })),
    );
    removeAll();
    expect(reached).toEqual([]);
  });
});
