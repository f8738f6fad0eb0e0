import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { asyncScheduler, map } from 'rxjs';
import type { SchedulerLike } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { document, metricsXml } from '../../../src/model/metrics-xml.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { privateDisks } from '../../../src/sinks/metrics-disk/private-disks-sink.ts';
import { describeSinkContract } from '../contract.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn, plain, watchedPwrite, withUmask } from './harness.ts';
import { change, known, startPrivate, tick, uuidOf } from './private-harness.ts';
import { PATIENCE } from '../../support/patience.ts';

const { make, removeAll } = directories();
const EMPTY = '<metrics>\n</metrics>\n';
const stops: (() => void)[] = [];
const running: typeof startPrivate = (folder, options) => {
  const disks = startPrivate(folder, options);
  stops.push(disks.stop);
  return disks;
};

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  removeAll();
});

describeSinkContract('the private disks', (scheduler) => {
  const directory = make();
  const folder = join(directory, 'disks');
  const sink = privateDisks({
    path: join(folder, 'UUID.disk'),
    size: CHUNK,
    scheduler,
    backoff: { first: 10, most: 50 },
  });
  const domains = [known(1), known(2)];
  // Blocks all disks at once, by their folder.
  const block = () => {
    const [had, away] = [existsSync(folder), join(directory, 'away')];
    if (had) renameSync(folder, away);
    writeFileSync(folder, 'no folder');
    return () => {
      rmSync(folder);
      if (had) renameSync(away, folder);
    };
  };
  return {
    sink: { ...sink, run: (snapshot$) => sink.run(snapshot$.pipe(map((value) => ({ ...value, domains })))) },
    hold: block,
    fail: block,
    target: () => documentOn(join(folder, `${uuidOf(1)}.disk`)),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
});

describe('the private disks', () => {
  it('are one for each domain of libvirt, running or not, with its metrics and those of the host', () => {
    const disks = running(make());
    const [one, two] = [ofDomain(1, sample('Own', 'first')), ofDomain(2, sample('Own', 'second'))];
    const host = [sample('H', 'of the host')];
    disks.publish(tick(1, [known(1), known(2), known(3, { running: false })], [one, two], host));
    const xml = (...domainMetrics: readonly (typeof one)[]): string =>
      document(metricsXml(snapshot(1, host, domainMetrics)));
    expect(plain(documentOn(disks.pathOf(1)))).toBe(xml(one));
    expect(plain(documentOn(disks.pathOf(2)))).toBe(xml(two));
    expect(plain(documentOn(disks.pathOf(3)))).toBe(xml());
    expect(statSync(disks.pathOf(1)).size).toBe(CHUNK);
  });

  it('lie in a folder that is made if it is missing; all is readable by all, whatever the umask', () => {
    const folder = join(make(), 'run', 'vhostmd');
    withUmask(0o077, () => running(folder).publish(tick(1, [known(1)])));
    for (const part of [folder, join(folder, '..')]) expect(statSync(part).mode & 0o7777).toBe(0o755);
    expect(statSync(join(folder, `${uuidOf(1)}.disk`)).mode & 0o7777).toBe(0o644);
  });

  it('may lie in folders of their own, with the token in several places', () => {
    const folder = make();
    const disks = running(folder, { path: join(folder, 'vm-UUID', 'disk-UUID') });
    disks.publish(tick(1, [known(1)]));
    expect(documentOn(disks.pathOf(1))).toContain('tick 1');
    disks.publish(tick(2, []));
    disks.publish(tick(3, []));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are not opened where the folder cannot be made, and report why', () => {
    const folder = join(make(), 'file', 'disks');
    writeFileSync(join(folder, '..'), '');
    const disks = running(folder, { backoff: { first: 60_000, most: 60_000 } });
    expect(disks.said('failed')[0]).toMatch(
      /^The folder of the private disks, .*file\/disks, cannot be made: .*(?:ENOTDIR|EEXIST).*\. Make it for the user that vhostmd runs as, or name another <path> in <vm_disk>$/,
    );
  });

  it('go with their domain: undefined, or transient and stopped; some seconds later, at a tick', () => {
    const disks = running(make());
    disks.publish(tick(1, [known(1), known(2)]));
    disks.publish(change(tick(1, [known(2)])));
    expect(existsSync(disks.pathOf(1))).toBe(true);
    disks.publish(tick(2, [known(2)]));
    expect(existsSync(disks.pathOf(1))).toBe(false);
    expect(disks.said('written').at(-1)).toMatch(/^1 disk, 1 changed, \d+ bytes written, 1 removed$/);
    expect(documentOn(disks.pathOf(2))).toContain('tick 2');
  });

  it('stay where a domain comes back at once, as for a restart of a transient one', () => {
    const disks = running(make());
    disks.publish(tick(1, [known(1)]));
    disks.publish(change(tick(1, []), 9000));
    disks.publish(tick(2, []));
    expect(documentOn(disks.pathOf(1))).toContain('tick 1');
    disks.publish(change(tick(2, [known(1)]), 10_500));
    disks.publish(tick(3, [known(1)]));
    expect(documentOn(disks.pathOf(1))).toContain('tick 3');
    expect(disks.said('written').join()).not.toContain('removed');
  });

  it('that have been replaced by something else are not removed with their domain', () => {
    const disks = running(make());
    disks.publish(tick(1, [known(1)]));
    rmSync(disks.pathOf(1));
    writeFileSync(disks.pathOf(1), 'precious');
    disks.publish(tick(2, []));
    disks.publish(tick(3, []));
    expect(readFileSync(disks.pathOf(1), 'utf8')).toBe('precious');
  });

  it('while libvirt has not been reached get the metrics of the host; none is made and none is removed', () => {
    const folder = make();
    const first = running(folder);
    first.publish(tick(1, [known(1), known(2)], [ofDomain(1, sample('Own', 'first'))]));
    first.stop();
    const before = readFileSync(first.pathOf(1));
    const second = running(folder);
    expect(second.said('opened')).toEqual([`${join(folder, 'UUID.disk')}, 65,536 bytes each: 2 disks taken over`]);
    expect(readFileSync(first.pathOf(1)).equals(before)).toBe(true);
    second.publish(tick(2, undefined));
    second.publish(tick(30, undefined));
    expect(readdirSync(folder)).toHaveLength(2);
    expect(documentOn(second.pathOf(1))).toContain('tick 30');
    second.publish(tick(31, [known(1), known(3)]));
    expect(readdirSync(folder)).toHaveLength(3);
    expect(documentOn(second.pathOf(2))).toContain('tick 30');
  });

  it('that were left busy are freed at the opening, before libvirt is reached', () => {
    const folder = make();
    const first = running(folder);
    first.publish(tick(1, [known(1)]));
    first.stop();
    const bytes = readFileSync(first.pathOf(1));
    bytes.writeUInt32BE(1, 4);
    writeFileSync(first.pathOf(1), bytes);
    running(folder);
    expect(plain(documentOn(first.pathOf(1)))).toBe(EMPTY);
  });

  it('leave files that are no metrics disk alone at the start', () => {
    const folder = make();
    const path = join(folder, `${uuidOf(1)}.disk`);
    writeFileSync(path, 'precious');
    writeFileSync(join(folder, 'other.disk'), 'mvbd');
    running(folder).publish(tick(1, undefined));
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(readFileSync(join(folder, 'other.disk'), 'utf8')).toBe('mvbd');
  });

  it('cost nothing between ticks while nothing of theirs changes, and are only touched at ticks', () => {
    const { calls, pwrite } = watchedPwrite();
    const disks = running(make(), { pwrite });
    const first = tick(1, [known(1), known(2)], [ofDomain(1, sample('Own', '1'))]);
    disks.publish(first);
    calls.length = 0;
    for (const id of [1, 2]) utimesSync(disks.pathOf(id), 1000, 1000);
    disks.publish(change({ ...first, domainMetrics: [ofDomain(1, sample('Own', '2'))] }));
    expect(documentOn(disks.pathOf(1))).toContain('<value>2</value>');
    expect(calls.filter(({ position }) => position === 16)).toHaveLength(1);
    expect(statSync(disks.pathOf(2)).mtimeMs).toBe(1_000_000);
    expect(disks.said('written').at(-1)).toMatch(/^2 disks, 1 changed, \d+ bytes written$/);
    calls.length = 0;
    disks.publish({ ...first, tick: 2, domainMetrics: [ofDomain(1, sample('Own', '2'))] });
    expect(calls).toEqual([]);
    for (const id of [1, 2]) expect(Date.now() - statSync(disks.pathOf(id)).mtimeMs).toBeLessThan(60_000);
    expect(disks.said('written').at(-1)).toBe('2 disks, 0 changed, 0 bytes written');
  });

  it('report every snapshot as written, also without any domain', () => {
    const disks = running(make());
    const value = tick(1, []);
    disks.publish(value);
    disks.publish(tick(2, undefined));
    expect(disks.reports[1]).toEqual({
      kind: 'written',
      snapshot: value,
      message: '0 disks, 0 changed, 0 bytes written',
      bytes: 0,
      leftOut: 0,
    });
    expect(disks.said('written')).toHaveLength(2);
  });

  it('FAULTS 48: with more metrics than fit stay valid, and name the file once', () => {
    const disks = running(make());
    const big = ofDomain(1, sample('Own', 'x'.repeat(CHUNK)));
    disks.publish(tick(1, [known(1), known(2)], [big]));
    disks.publish(tick(2, [known(1), known(2)], [big]));
    expect(documentOn(disks.pathOf(1))).toContain('tick 2');
    expect(disks.said('warning')).toEqual([
      `Private disk of "vm1": ${disks.pathOf(1)} is too small and holds 1 of 1 host metrics and 0 of 1 VMs only; raise the <size> of the disk`,
    ]);
    expect(disks.reports.at(-1)).toMatchObject({ kind: 'written', leftOut: 1 });
    disks.publish(tick(3, [known(1), known(2)]));
    expect(disks.said('warning').at(-1)).toBe(`Private disk of "vm1": ${disks.pathOf(1)} holds all metrics again`);
  });

  it('give everything else of the process a turn, however many they are, and take the newest snapshot next', async () => {
    // The clock advances by a millisecond each time it is read, so every disk takes time.
    let now = 0;
    const scheduler: SchedulerLike = {
      now: () => (now += 1),
      schedule: asyncScheduler.schedule.bind(asyncScheduler),
    };
    const disks = running(make(), { scheduler });
    await vi.waitFor(() => expect(disks.said('opened')).toHaveLength(1));
    const domains = Array.from({ length: 50 }, (_, id) => known(id));
    for (const number of [1, 2, 3]) disks.publish(tick(number, domains));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    expect(disks.said('written')).toEqual([]);
    await vi.waitFor(() => expect(disks.said('written')).toHaveLength(2), 5000 * PATIENCE);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    const ticks = disks.reports.flatMap((report) => (report.kind === 'written' ? [report.snapshot.tick] : []));
    expect(ticks).toEqual([1, 3]);
    for (const { id } of domains) expect(documentOn(disks.pathOf(id ?? 0))).toContain('tick 3');
  });

  it('are left with their last documents when they are closed, and unlocked', () => {
    const disks = running(make());
    disks.publish(tick(5, [known(1)]));
    disks.stop();
    expect(documentOn(disks.pathOf(1))).toContain('tick 5');
    execFileSync('flock', ['-n', disks.pathOf(1), 'true']);
  });

  it('open and make nothing before they are subscribed to', () => {
    const folder = join(make(), 'disks');
    privateDisks({
      path: join(folder, 'UUID.disk'),
      size: CHUNK,
      scheduler: { now: () => 0, schedule: () => expect.fail() },
    });
    expect(existsSync(folder)).toBe(false);
    mkdirSync(folder);
    expect(readdirSync(folder)).toEqual([]);
  });
});
