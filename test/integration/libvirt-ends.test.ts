import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { beforeAll, describe, expect, it } from 'vitest';

import { readMetrics, until } from '../support/daemon.ts';
import { isSleeping } from '../support/processes.ts';
import { action, counting, libvirtStage, linesOf, stat, updatesOf } from './libvirt-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const stage = libvirtStage({ keepDomains: true });
beforeAll(async () => {
  for (const name of ['a', 'b']) await stage().libvirtd.create(name);
});

const ABSENT = 'qemu+unix:///session?socket=/nonexistent/libvirt-sock';
const MARKER = `97${process.pid}`;

// The action and its child never end; the unusual duration identifies them.
const HANGING = action('host', 'Hanging', `sleep ${MARKER} & sleep ${MARKER}`);
const METRICS = [stat('host', 'host.time'), stat('vm', 'cpu.time'), stat('vm', 'vcpu.*.delay'), HANGING].join('');

const sleeping = (): boolean => isSleeping(MARKER);

// Injects an exception or a rejection by a signal, in place of a bug.
const BUGS = `--import=data:text/javascript,${encodeURIComponent(
  `process.on('SIGUSR2', () => { throw new Error('bug for a test') }); process.on('SIGWINCH', () => void Promise.reject(new Error('bug for a test')));`,
)}`;

const WAYS = [
  { way: 'SIGTERM', signal: 'SIGTERM', code: 0 },
  { way: 'SIGINT', signal: 'SIGINT', code: 0 },
  { way: 'FAULTS 57: an uncaught exception', signal: 'SIGUSR2', code: 1 },
  { way: 'FAULTS 57: an unhandled rejection', signal: 'SIGWINCH', code: 1 },
] as const;

describe.each(['healthy', 'absent', 'frozen'] as const)('With libvirtd %s', (state) => {
  it.each(WAYS)('$way ends the daemon within 2 s, with no child left and a valid disk', async ({ signal, code }) => {
    const { libvirtd, run } = stage();
    const { daemon, disk } = await run(METRICS, {
      ...(state === 'absent' ? { uri: ABSENT } : {}),
      env: { NODE_OPTIONS: BUGS },
    });
    await until('an action hangs', sleeping);
    if (state === 'frozen') {
      libvirtd.kill('SIGSTOP');
      // Until calls hang.
      await sleep(1500);
    }
    try {
      const ended = await daemon.stop(signal);
      expect(ended.code).toBe(code);
      expect(ended.ms).toBeLessThan(2000 * PATIENCE);
      expect(sleeping()).toBe(false);
      expect((await readMetrics(disk)).map(({ name }) => name)).toContain('host.time');
      expect(daemon.output()).toMatch(code === 0 ? `Stopping (${signal})` : 'bug for a test');
    } finally {
      libvirtd.kill('SIGCONT');
    }
  });
});

describe('A daemon whose process is stopped for a while', () => {
  it(
    'FAULTS 54: makes one tick for all that it missed in a minute, then goes on with its rhythm',
    async () => {
      const { folder, run } = stage();
      const ticks = path.join(folder, 'ticks');
      const { daemon } = await run(action('host', 'Ticks', counting(ticks)) + stat('vm', 'cpu.time'), { args: ['-v'] });
      await until('three ticks', () => linesOf(ticks).length >= 3);
      daemon.child.kill('SIGSTOP');
      await sleep(60_300);
      const before = linesOf(ticks).length;
      const updates = updatesOf(daemon).length;
      daemon.child.kill('SIGCONT');
      const resumed = performance.now();
      await sleep(2500);
      // One tick at once, then those of the grid.
      const most = Math.ceil((performance.now() - resumed) / 1000) + 1;
      expect(linesOf(ticks).length - before).toBeGreaterThanOrEqual(2);
      expect(linesOf(ticks).length - before).toBeLessThanOrEqual(most);
      // A second update after a tick may publish late values.
      expect(updatesOf(daemon).length - updates).toBeLessThanOrEqual(2 * most);
    },
    120_000 * PATIENCE,
  );
});
