import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';

import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { startShell } from '../../../src/sources/action/shell.ts';
import type * as Libc from '../../../src/system/libc.ts';
import { takeExit } from '../../../src/system/process/posix-spawn.ts';
import { until } from './wait.ts';

const env = { PATH: '/usr/bin:/bin' };

const run = async (command: string, start = startShell) => {
  const { stdout, stderr, exit$ } = start(command, env);
  const [printed, errors, exit] = await Promise.all([text(stdout), text(stderr), firstValueFrom(exit$)]);
  return { printed, errors, ...exit };
};

describe('a shell', () => {
  afterEach(() => {
    vi.doUnmock('../../../src/system/libc.ts');
  });

  it('can open its output and its errors by name', async () => {
    expect(await run('echo out >/dev/stdout; echo err >/dev/stderr; exit 3')).toEqual({
      printed: 'out\n',
      errors: 'err\n',
      code: 3,
      signal: null,
    });
  });

  it('leads a session, and ignores and blocks no signal', async () => {
    // Node ignores SIGPIPE. The shell itself blocks signals while it waits for a child, so it becomes the program.
    const { printed } = await run(
      String.raw`exec sed -nE 's/^(NSpid|NSpgid|NSsid|SigBlk|SigIgn):\s*//p' /proc/self/status`,
    );
    const [pid, group, session, blocked, ignored] = printed.trim().split('\n');
    expect([blocked, ignored].map((mask) => Number(`0x${mask}`))).toEqual([0, 0]);
    expect([group, session]).toEqual([pid, pid]);
  });

  it('reports the signal that ends it, also one without a name', async () => {
    expect(await run('kill -ABRT $$')).toMatchObject({ code: null, signal: 'SIGABRT' });
    expect(await run('kill -40 $$')).toMatchObject({ code: null, signal: 'signal 40' });
  });

  it('has ended, also where something else has taken its exit', async () => {
    const { pid, exit$, hasExited } = startShell('exec sleep 60', env);
    expect(takeExit(pid)).toBeUndefined();
    process.kill(pid, 'SIGKILL');
    await until(() => takeExit(pid) !== undefined || hasExited());
    process.emit('SIGCHLD', 'SIGCHLD');
    expect(await firstValueFrom(exit$)).toMatchObject({ code: null });
    expect(takeExit(pid)).toEqual({ code: null, signal: null });
  });

  it('emits how it has ended to later subscribers as well', async () => {
    const { exit$, hasExited } = startShell('exit 7', env);
    expect(hasExited()).toBe(false);
    await until(hasExited);
    expect(await firstValueFrom(exit$)).toEqual({ code: 7, signal: null });
  });

  it('starts in /', async () => {
    expect(process.cwd()).not.toBe('/');
    expect(await run('pwd')).toMatchObject({ printed: '/\n' });
  });

  it('starts in / with a C library that cannot change the folder of a new process', async () => {
    const asked: string[] = [];
    vi.doMock('../../../src/system/libc.ts', async (original) => {
      const libc = await original<typeof Libc>();
      const { koffi, self } = libc.cLibrary();
      const func = (prototype: string) => {
        if (!prototype.includes('addchdir_np')) return self.func(prototype);
        asked.push(prototype);
        throw new Error('no such symbol');
      };
      return { ...libc, cLibrary: () => ({ koffi, self: { func } }) };
    });
    vi.resetModules();
    const { startShell } = await import('../../../src/sources/action/shell.ts');
    expect(await run('pwd; # the end', startShell)).toMatchObject({ printed: '/\n', errors: '' });
    expect((await run('nonsense', startShell)).errors).toMatch(/^\/bin\/sh: 1: nonsense: not found\n$/);
    expect(asked).toHaveLength(1);
  });

  it('leaves no descriptor open, whether it starts or not', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    await run('echo 5');
    const before = open();
    for (let time = 0; time < 20; time += 1) {
      await run('echo 5');
      expect(() => startShell(`: ${'x'.repeat(200_000)}`, env)).toThrow('posix_spawn: E2BIG');
    }
    expect(open()).toBe(before);
  });

  it.each([1, 30])('is not started with a command of %i MiB', (size) => {
    expect(() => startShell(`: ${'x'.repeat(size * 2 ** 20)}`, env)).toThrow('posix_spawn: E2BIG');
  });

  it.each([
    ['its command', 'echo 5\0; false', env],
    ['its environment', 'echo 5', { PATH: '/bin\0' }],
  ])('is not started with a NUL byte in %s', (_, command, variables) => {
    expect(() => startShell(command, variables)).toThrow('NUL byte');
  });
});
