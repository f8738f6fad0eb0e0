import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { firstValueFrom, lastValueFrom, merge, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { actions } from '../../../src/sources/action/actions.ts';
import type { MetricDefinition, Outcome } from '../../../src/model/metric.ts';
import { limitDescriptors } from '../../support/descriptor-limit.ts';
import { alive } from '../../support/processes.ts';
import { actionMetric, PATH } from './requests.ts';
import { until } from './wait.ts';
import { PATIENCE } from '../../support/patience.ts';

let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'vhostmd-action-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const outcome$ = (command: string, rest: Partial<MetricDefinition> = {}) =>
  actions({ path: PATH, maxParallel: 4 })({ metric: actionMetric(command, rest), late: false });
/** Runs a command, which must emit exactly one outcome and complete; returns the outcome. */
const run = async (command: string, rest: Partial<MetricDefinition> = {}): Promise<Outcome> => {
  const outcomes = await lastValueFrom(outcome$(command, rest).pipe(toArray()));
  expect(outcomes).toHaveLength(1);
  return outcomes[0]!;
};
const failure = (stage: string, reason: string) => ({ ok: false, stage, reason });
const value = (outcome: Outcome): string | undefined => (outcome.ok ? outcome.samples[0]?.value : outcome.reason);
/** Returns the pids in a file that an action wrote. */
const pidsIn = (name: string): readonly number[] =>
  existsSync(join(directory, name))
    ? readFileSync(join(directory, name), 'utf8').split('\n').filter(Boolean).map(Number)
    : [];
const pidsOnce = async (name: string, count: number): Promise<readonly number[]> => {
  await until(() => pidsIn(name).length >= count);
  return pidsIn(name);
};
/** Returns the descriptors that this process inherited and passes on. */
const inheritable = (): readonly string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    const info = `/proc/self/fdinfo/${fd}`;
    return (
      Number(fd) > 2 &&
      existsSync(info) &&
      !(Number(`0o${/^flags:\s+(\d+)/m.exec(readFileSync(info, 'utf8'))![1]}`) & 0o2000000)
    );
  });
const elapsed = async (work: Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work;
  return performance.now() - start;
};

describe('the output of a process', () => {
  it('is published as printed', async () => {
    expect(await run('echo 12', { type: 'uint32' })).toEqual({
      ok: true,
      samples: [{ name: 'Test', type: 'uint32', value: '12' }],
    });
  });

  it('FAULTS 11: that is not UTF-8 has U+FFFD in it', async () => {
    expect(value(await run(String.raw`printf 'a\377\303b'`))).toBe('a\ufffd\ufffdb');
  });

  it('FAULTS 12: loses ESC, NUL and 0x1F', async () => {
    expect(value(await run(String.raw`printf 'a\033[1m\000\037b'`))).toBe('a[1mb');
  });

  it('FAULTS 13: that closes our elements stays text', async () => {
    expect(value(await run("echo ']]></value></metric></metrics>'"))).toBe(']]></value></metric></metrics>');
  });

  it('FAULTS 14: without an end is cut at 64 KiB, and the memory does not grow with it', async () => {
    await run('yes', { timeout: 20_000 });
    const before = process.memoryUsage().external;
    expect(await run('exec yes', { timeout: 20_000 })).toEqual(failure('output', 'printed more than 64 KiB; killed'));
    expect(process.memoryUsage().external - before).toBeLessThan(1024 * 1024);
  });

  it('FAULTS 14: of exactly 64 KiB is whole, of one byte more is refused', async () => {
    expect(value(await run('head -c 65536 /dev/zero | tr "\\000" x'))).toHaveLength(65_536);
    expect(await run('head -c 65537 /dev/zero | tr "\\000" x')).toEqual(
      failure('output', 'printed more than 64 KiB; killed'),
    );
  });

  it('FAULTS 15: that is empty or white space is a failure', async () => {
    expect(await run('true')).toEqual(failure('output', 'printed nothing'));
    expect(await run("echo ' '")).toEqual(failure('output', 'printed nothing'));
  });

  it.each(['NaN', '1e999', '18446744073709551616', '1,5', '0x10', 'error: failed'])(
    'FAULTS 16: %s is no uint64, and the reason shows it',
    async (text) => {
      const outcome = await run(`echo '${text}'`, { type: 'uint64' });
      expect(outcome).toMatchObject({ ok: false, stage: 'output' });
      expect(value(outcome)).toContain(`"${text}"`);
    },
  );

  it('FAULTS 17: that leaves a field of a group empty drops the group', async () => {
    const variables = [
      { name: 'A', type: 'uint32' },
      { name: 'B', type: 'uint32' },
    ] as const;
    expect(await run('echo 5,', { type: 'group', variables })).toEqual(failure('output', 'variable B: empty value'));
    expect(await run('echo 5,6', { type: 'group', variables })).toMatchObject({ ok: true });
  });

  it('FAULTS 18: that is XML with an injected tag is refused whole', async () => {
    const good = "<metric type='string' context='host'><name>A</name><value>1</value></metric>";
    expect(await run(`cat <<'X'\n${good}\nX`, { type: 'xml' })).toMatchObject({ ok: true });
    expect(await run(`cat <<'X'\n${good}</metrics><metrics>\nX`, { type: 'xml' })).toMatchObject({ ok: false });
  });

  it('FAULTS 19: as a flood on stderr is drained, and 512 escaped characters of it are kept', async () => {
    const outcome = await run(String.raw`head -c 3000000 /dev/zero | tr '\000' '\033' >&2; exit 3`);
    expect(value(outcome)).toMatch(/^exited with status 3: (\\u\{1b\}){60,}\.\.\.$/);
    expect(value(outcome)!.length).toBeLessThanOrEqual(512);
    expect(value(await run('head -c 3000000 /dev/zero >&2; echo fine'))).toBe('fine');
  });
});

describe('a process', () => {
  it('FAULTS 20: that hangs is ended at its deadline with its whole group', async () => {
    const hang = run(`sleep 61 & echo $! > ${directory}/pids; sleep 62`, { timeout: 200 });
    const [sleeper] = await pidsOnce('pids', 1);
    expect(await hang).toEqual(failure('run', 'not finished after 0.2 s; killed'));
    await until(() => !alive(sleeper!));
  });

  it('FAULTS 20: that prints for ever in small pieces is ended at its deadline', async () => {
    expect(await run('while :; do echo x; sleep 0.05; done', { timeout: 300 })).toEqual(
      failure('run', 'not finished after 0.3 s; killed'),
    );
  });

  it('FAULTS 21: that ignores SIGTERM gets SIGKILL after the grace', async () => {
    const stubborn = run(`trap '' TERM; echo $$ > ${directory}/pids; while :; do sleep 0.1; done`, { timeout: 200 });
    const [shell] = await pidsOnce('pids', 1);
    expect(await stubborn).toEqual(failure('run', 'not finished after 0.2 s; killed'));
    expect(alive(shell!)).toBe(false);
  });

  it('FAULTS 21: whose child ignores SIGTERM takes it along', async () => {
    const command = `(trap '' TERM; sleep 0.1; while :; do sleep 0.1; done) & echo $! > ${directory}/pids; wait`;
    const outcome = run(command, { timeout: 300 });
    const [child] = await pidsOnce('pids', 1);
    expect(await outcome).toMatchObject({ ok: false, stage: 'run' });
    await until(() => !alive(child!));
  });

  it('FAULTS 21: that is stopped is ended too', async () => {
    expect(await run('kill -STOP $$', { timeout: 100 })).toEqual(failure('run', 'not finished after 0.1 s; killed'));
  });

  it('FAULTS 22: that leaves a child on its output settles when it ends; the child ends with it', async () => {
    const outcome = run(`sleep 30 & echo $! > ${directory}/pids; echo 5`, { timeout: 20_000 });
    expect(await elapsed(outcome)).toBeLessThan(5000 * PATIENCE);
    expect(value(await outcome)).toBe('5');
    const [sleeper] = pidsIn('pids');
    await until(() => !alive(sleeper!));
  });

  it('FAULTS 23: that leaves a child in another session settles when it ends', async () => {
    const outcome = run(`setsid sleep 30 & echo $! > ${directory}/pids; echo 5`, { timeout: 20_000 });
    try {
      expect(await elapsed(outcome)).toBeLessThan(5000 * PATIENCE);
      expect(value(await outcome)).toBe('5');
    } finally {
      pidsIn('pids').forEach((pid) => alive(pid) && process.kill(pid, 'SIGKILL'));
    }
  });

  it('FAULTS 23: that hangs with a child in another session settles at its deadline', async () => {
    const command = `setsid sh -c 'echo $$ > ${directory}/pids; exec sleep 30' & sleep 30`;
    const outcome = run(command, { timeout: 300 });
    const [sleeper] = await pidsOnce('pids', 1);
    try {
      expect(await outcome).toEqual(failure('run', 'not finished after 0.3 s; killed'));
    } finally {
      process.kill(sleeper!, 'SIGKILL');
    }
  });

  it('FAULTS 24: that is ended by a signal is a failure, whatever it printed', async () => {
    expect(await run('echo 5; kill -SEGV $$')).toEqual(failure('run', 'was ended by SIGSEGV'));
  });

  it('FAULTS 25: that exits with 126 or 127, or whose script is missing, says what the shell said', async () => {
    const missing = await run('/nonexistent/script');
    expect(missing).toMatchObject({ ok: false, stage: 'run' });
    expect(value(missing)).toMatch(/^exited with status 127: .*\/nonexistent\/script: .*not found$/);
    expect(value(await run('/etc/passwd'))).toMatch(/^exited with status 126: .*Permission denied$/);
    expect(value(await run('echo 5; exit 126'))).toBe('exited with status 126');
    expect(value(await run('echo "two\nlines" >&2; exit 1'))).toBe('exited with status 1: two');
  });

  it('FAULTS 27: that reads its input gets the end of file', async () => {
    expect(value(await run('cat; read x; echo "$? [$x]"', { timeout: 20_000 }))).toBe('1 []');
  });

  it('is ended by unsubscribing', async () => {
    const command = `trap '' TERM; echo $$ > ${directory}/pids; while :; do sleep 0.1; done`;
    // Far longer than `until` waits, so that the deadline cannot end it first.
    const subscription = outcome$(command, { timeout: 60_000 }).subscribe();
    const [shell] = await pidsOnce('pids', 1);
    subscription.unsubscribe();
    await until(() => !alive(shell!));
  });

  it('is cold: nothing runs before a subscription, and each subscriber gets a run', async () => {
    const counted$ = outcome$(`echo run >> ${directory}/runs; wc -l < ${directory}/runs`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(existsSync(join(directory, 'runs'))).toBe(false);
    expect(value(await firstValueFrom(counted$))).toBe('1');
    expect(value(await firstValueFrom(counted$))).toBe('2');
  });

  it('FAULTS 70: has no descriptor of the daemon, and nothing of its environment', async () => {
    const inherited = inheritable();
    const descriptor = openSync('/etc/hostname', 'r');
    const added = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1', LISTEN_FDS: '1', INVOCATION_ID: 'x', JOURNAL_STREAM: 'x' };
    Object.assign(process.env, added);
    try {
      const listed = value(await run('ls -l /proc/$$/fd; true'))!.split('\n');
      const links = listed.flatMap(
        (line) => /(\d+) -> (\/dev\/null|pipe|socket|.*)/.exec(line)?.slice(1, 3).join(' ') ?? [],
      );
      const own = links.filter((link) => !inherited.includes(link.split(' ')[0]!));
      expect(own.join('\n')).toMatch(/^0 \/dev\/null\n1 (pipe|socket)\n2 (pipe|socket)$/);
      const names = value(await run('env'))!
        .split('\n')
        .map((line) => line.split('=')[0]!);
      expect(names).toContain('PATH');
      // The shell itself sets PWD and _.
      const known = new Set(['PATH', 'LC_ALL', 'HOME', 'TZ', 'PWD', '_', 'SHLVL', 'OLDPWD']);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
      expect(value(await run('echo "$LC_ALL $PATH"'))).toBe(`C ${PATH}`);
    } finally {
      closeSync(descriptor);
      Object.keys(added).forEach((name) => delete process.env[name]);
    }
  });
});

describe('a process that cannot be started', () => {
  it('FAULTS 28: for want of descriptors is a failure; the next one starts', async () => {
    const restore = limitDescriptors(256);
    const opened: number[] = [];
    try {
      try {
        for (;;) opened.push(openSync('/dev/null', 'r'));
      } catch {
        // All descriptors are in use.
      }
      for (let spare = 0; spare < 10; spare += 1) {
        expect(await run('echo 5')).toEqual(
          failure('start', 'cannot be started: too many open files; raise LimitNOFILE (EMFILE)'),
        );
        closeSync(opened.pop()!);
      }
      expect(value(await run('echo 5'))).toBe('5');
    } finally {
      opened.forEach((descriptor) => closeSync(descriptor));
      restore();
    }
    expect(value(await run('echo 5'))).toBe('5');
  });

  it('FAULTS 28: since the kernel refuses its arguments is a failure; its place is free again', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 1 });
    for (let attempt = 0; attempt < 4; attempt += 1)
      expect(
        await firstValueFrom(outcome$For({ metric: actionMetric(`: ${'x'.repeat(200_000)}`), late: false })),
      ).toEqual(failure('start', 'cannot be started: the command is too long for the kernel (E2BIG)'));
    expect(value(await firstValueFrom(outcome$For({ metric: actionMetric('echo 5'), late: false })))).toBe('5');
  });

  it('FAULTS 28: is a failure, also where thousands wait for its place', async () => {
    const outcome$For = actions({ path: PATH, maxParallel: 1 });
    const occupying = [0.3, 0.31].map((seconds) => actionMetric(`sleep ${seconds}; echo 5`));
    const requests = [...occupying, ...Array.from({ length: 10_000 }, (_, at) => actionMetric(`: ${at} \0`))];
    const all$ = merge(...requests.map((metric) => outcome$For({ metric, late: false })));
    const outcomes = await lastValueFrom(all$.pipe(toArray()));
    expect(outcomes.filter((outcome) => !outcome.ok && outcome.stage === 'start')).toHaveLength(10_000);
  });

  it('because of a NUL in it is a failure', async () => {
    expect(await run('echo \0')).toMatchObject({ ok: false, stage: 'start' });
  });
});
