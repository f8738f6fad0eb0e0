import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import type { DomainMetrics, Sample } from '../../src/model/metric.ts';
import { causeOf } from '../../src/model/verdict.ts';
import { ofDomain, sample } from '../../src/testing/snapshots.ts';
import { judge, STATISTICS_NEEDED } from '../../src/verdict/judge.ts';
import { diskStage, publish } from './disk-stage.ts';
import { BUSYBOX, type Ended, SHELLS, TOOL } from './tool.ts';

const { disk, run } = diskStage();
const SECOND = 1e9;
type Values = Readonly<Record<string, number>>;

const QUIET: Values = {
  'contention.time': 20 * SECOND,
  'vcpu.current': 2,
  'cpu.time': 5 * SECOND,
  'promised.cpus.usable': 8,
  'contention.cpu.delay': 0.5 * SECOND,
  'contention.quota.time': 0,
  'contention.pressure.memory.some.total': 0.25,
  'contention.block.time': 2 * SECOND,
  'contention.block.requests': 1000,
  'contention.block.limit': 0,
  'contention.net.packets': 500,
  'contention.net.drops': 0,
  'activity.job.time': 0,
  'activity.paused.time': 0,
};
const samplesOf = (values: Values): readonly Sample[] =>
  Object.entries(values).map(([name, value]) => ({ name, type: 'uint64', value: String(value) }));
const vm = (values: Values, id = 1): DomainMetrics => ofDomain(id, ...samplesOf(values));
const later = (growth: Values): Values => ({
  ...QUIET,
  ...Object.fromEntries(
    Object.entries({ 'contention.time': 5 * SECOND, ...growth }).map(([name, by]) => [name, (QUIET[name] ?? 0) + by]),
  ),
});

describe.each(SHELLS)('vm-dump-metrics --why in $name', ({ shell }) => {
  /** Publishes some metrics, and others when the tool has read the first. */
  const ask = async (
    first: readonly DomainMetrics[],
    second: readonly DomainMetrics[],
    ...args: readonly string[]
  ): Promise<Ended> => {
    publish(disk(), [sample('HostName', 'h')], first);
    const ended = run(shell, ['--device', disk(), '--why', ...args]);
    await sleep(700);
    publish(disk(), [sample('HostName', 'h')], second);
    return await ended;
  };

  it('names the cause with its evidence, and what to ask for', async () => {
    const { code, stdout } = await ask(
      [vm(QUIET)],
      [
        vm(
          later({
            'contention.quota.time': 4 * SECOND,
            'contention.cpu.delay': 4 * SECOND,
            'contention.net.packets': 500,
            'contention.net.drops': 50,
          }),
        ),
      ],
    );
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'The host slows this VM down. This VM has used up the CPU time that it was sold: its quota stops it.',
      '  40.0 % of the time its CPU quota stopped a virtual CPU (from 5 % on)',
      'Ask for a higher CPU quota or more virtual CPUs, or make the guest do less. Neighbours are not to blame.',
      'Also: Packets from or to this VM are dropped between the host and the VM.',
      '',
    ]);
  });

  it('says that nothing is there, with its numbers; or that not all could be judged', async () => {
    const { stdout } = await ask([vm(QUIET)], [vm(later({ 'cpu.time': SECOND }))]);
    expect(stdout).toMatch(
      /^The host does not slow this VM down: look inside the guest\.\nMeasured in 5\.00 s: paused 0\.00 %, /,
    );
    const { 'contention.pressure.memory.some.total': _, ...blind } = QUIET;
    const { 'contention.pressure.memory.some.total': __, ...later_ } = later({});
    const unknown = await ask([vm(blind)], [vm(later_)]);
    expect(unknown.stdout).toMatch(
      /^The host shows no cause, but not all could be looked at\.\nNot judged, because the host does not show it: The host is short of memory\.\n/,
    );
  });

  it('prints JSON with the names of vhostmd why --json', async () => {
    const second = later({ 'activity.job.time': 5 * SECOND });
    const { stdout } = await ask([vm(QUIET)], [vm(second)], '--json');
    const expected = judge(new Map(Object.entries(QUIET)), new Map(Object.entries(second)));
    expect(JSON.parse(stdout)).toEqual({ cause: 'job', ...JSON.parse(JSON.stringify(expected)) });
  });

  it('starts again when the clock does, because the VM has restarted or migrated', async () => {
    const restarted = { ...QUIET, 'contention.time': SECOND };
    publish(disk(), [], [vm(QUIET)]);
    const ended = run(shell, ['--device', disk(), '--why', '--json']);
    await sleep(700);
    publish(disk(), [], [vm(restarted)]);
    await sleep(2500);
    publish(disk(), [], [vm({ ...restarted, 'contention.time': 6 * SECOND })]);
    expect(JSON.parse((await ended).stdout)).toMatchObject({ cause: 'none', seconds: 5 });
  });

  it('is only about this VM, and takes nothing from a disk of several that it cannot tell apart', async () => {
    const others = [vm(QUIET, 1), vm(QUIET, 2)];
    const { code, stdout, stderr } = await ask(others, others);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/those of several virtual machines/);
  });

  it('says what the host lacks, with a status of its own', async () => {
    const { code, stdout, stderr } = await ask([vm({ 'cpu.time': 5 })], []);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/the host does not publish why .* conf\/contention\.xml, or for: vhostmd why /);
  });

  it('gives up when nothing changes', async () => {
    const { code, stderr } = await ask([vm(QUIET)], [vm(QUIET)], '--wait', '2');
    expect(code).toBe(1);
    expect(stderr).toMatch(/have not changed for 2 s: vhostmd on the host has stopped, or its period is longer/);
  });

  it('takes no hostile value for a number', async () => {
    const hostile = ['1e999', '-5', '0x10', '$(reboot)', "';", '9'.repeat(400), 'nan', ''];
    const names = STATISTICS_NEEDED.filter((name) => name !== 'contention.time');
    const samples = hostile.map((value, at): Sample => ({ name: names[at] ?? '', type: 'string', value }));
    const clock = (time: number): Sample => ({ name: 'contention.time', type: 'uint64', value: String(time) });
    const { code, stdout } = await ask(
      [ofDomain(1, clock(0), ...samples)],
      [ofDomain(1, clock(5 * SECOND), ...samples)],
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [], cause: 'unknown' });
  });

  it('goes with --json only', async () => {
    for (const args of [['--list'], ['--value', 'x']])
      expect(await run(shell, ['--why', ...args])).toMatchObject({ code: 2 });
  });
});

describe('the judgement of vm-dump-metrics', () => {
  const tool = readFileSync(TOOL, 'utf8');
  const table = /cat <<'END'\n([^]*?)\nEND\n/.exec(tool)?.[1] ?? '';
  const program = /^JUDGE='([^]*?)'$/m.exec(tool)?.[1] ?? '';
  const lines = (which: string, values: ReadonlyMap<string, number>): string =>
    [...values].map(([name, value]) => `${which}\t${name}\t${value}\n`).join('');
  const inGuest = (
    awk: readonly [string, ...string[]],
    first: ReadonlyMap<string, number>,
    second: ReadonlyMap<string, number>,
  ) => {
    const [file, ...args] = awk;
    const input = `${table}\n${lines('first', first)}${lines('second', second)}`;
    return JSON.parse(execFileSync(file, [...args, '-v', 'json=json', program], { input, encoding: 'utf8' })) as Record<
      string,
      unknown
    >;
  };
  // A generator of its own, so that a failure can be repeated.
  const numbers = (seed: number) => (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

  it.each([
    ['awk', ['awk']],
    ['busybox awk', [BUSYBOX, 'awk']],
  ] as const)('by %s is that of the host, for any two readings', (_name, awk) => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const random = numbers(seed * 7919);
      const first = new Map<string, number>();
      const second = new Map<string, number>();
      for (const name of STATISTICS_NEEDED) {
        if (random() < 0.08) continue;
        const start = Math.floor(random() * 1e12);
        const growth = name === 'contention.time' ? 0.5 + 9 * random() : random() < 0.5 ? 0 : 10 * random();
        const isCount = /requests|packets|drops|current|usable/.test(name);
        const isSmall = name.startsWith('contention.pressure') || name === 'contention.block.limit';
        const scale = isSmall ? 10 : isCount ? 30 : SECOND;
        first.set(name, isCount ? Math.floor(random() * 9) : start);
        second.set(name, (first.get(name) ?? 0) + Math.floor(growth * scale) - (random() < 0.03 ? 1e13 : 0));
      }
      const expected = judge(first, second);
      if (expected === undefined) continue;
      const { cause, ...seen } = inGuest([...awk], first, second);
      expect({ seed, cause }).toEqual({ seed, cause: causeOf(expected) });
      expect(seen['unseen']).toEqual(expected.unseen);
      expect((seen['findings'] as readonly { readonly cause: string }[]).map((one) => one.cause)).toEqual(
        expected.findings.map((one) => one.cause),
      );
      for (const [name, value] of Object.entries(expected.measured))
        expect((seen['measured'] as Values)[name]).toBeCloseTo(value, 6);
    }
  });
});
