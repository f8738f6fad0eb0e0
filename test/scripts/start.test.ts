import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readMetrics, scratch, type Scratch, until } from '../support/daemon.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder = '';
let own: Scratch;
const children: ChildProcess[] = [];

/** A copy of this clone, which is built: the test installs and builds nothing, and leaves this clone unchanged. */
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-start-'));
  own = scratch('<metric type="string" context="host"><name>Mine</name><stat>host.hostname</stat></metric>', {
    globals: '<transport>virtio</transport>',
  });
  for (const name of ['node_modules', 'src', 'temp', '.cache']) mkdirSync(path.join(folder, name));
  cpSync(path.join(ROOT, 'scripts'), path.join(folder, 'scripts'), { recursive: true });
  for (const name of ['dist', 'conf', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
    symlinkSync(path.join(ROOT, name), path.join(folder, name));
  for (const name of readdirSync(path.join(ROOT, 'node_modules')).filter((entry) => !entry.startsWith('.')))
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
  for (const name of ['node_modules/.package-lock.json', '.cache/built']) writeFileSync(path.join(folder, name), '');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  own.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `npm start -- ARGUMENT...` until it has published some snapshots, then interrupts it; returns its output. */
const started = async (...args: readonly string[]): Promise<string> => {
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: folder,
    // Without ldconfig, as for an ordinary user of Debian.
    env: { ...process.env, TMPDIR: path.join(folder, 'temp'), PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  children.push(child);
  let output = '';
  let code: number | null | undefined;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  child.once('close', (status) => (code = status));
  await until(
    'some snapshots',
    () => code !== undefined || output.split('debug   metrics disk').length > 3,
    60_000,
  ).catch(() => undefined);
  if (code === undefined) process.kill(-(child.pid ?? 0), 'SIGINT');
  await until(`the end of npm start: ${output}`, () => code !== undefined, 20_000);
  return output;
};

const perSnapshot = (output: string): readonly string[] =>
  output.split('\n').flatMap((line) => / debug {3}([^:]+):/.exec(line)?.[1] ?? []);

describe('CASE E10: npm start', () => {
  const sandbox = (): string => path.join(folder, `temp/vhostmd-sandbox-${process.getuid?.() ?? ''}`);

  it('is a sandbox: its disk is in a folder of its own, and it takes no channel', async () => {
    const output = await started('-c', 'test:///default');
    expect(output).toContain('Ready: ');
    expect(output).not.toMatch(/virtio-serial:|metrics disk: \/dev\/shm|\/run\/vhostmd/);
    expect((await readMetrics(path.join(sandbox(), 'disk'))).map(({ name }) => name)).toContain('FreePhysicalMemory');
    // One line for each snapshot.
    expect(new Set(perSnapshot(output))).toEqual(new Set(['metrics disk']));
  });

  it('prints commands to try next, which are those of its own disk and socket', async () => {
    const output = await started('-ctest:///default');
    expect(output).toContain(`node dist/vhostmd.cjs dump ${sandbox()}/disk\n`);
    expect(output).toContain(`node dist/vhostmd.cjs watch --socket ${sandbox()}/status.sock\n`);
    expect(output).toContain('Running on the libvirt that -c names');
    expect(output).not.toContain("This host's libvirt");
  });

  it('takes a configuration of one’s own', async () => {
    const output = await started('--connect=test:///default', '-f', own.config);
    expect((await readMetrics(own.disk)).map(({ name }) => name)).toContain('Mine');
    expect(existsSync(path.join(sandbox(), 'disk'))).toBe(false);
    // A sink without work is logged once, not for each snapshot.
    expect(perSnapshot(output).filter((sink) => sink === 'virtio-serial')).toHaveLength(1);
    expect(output).not.toContain(`dump ${sandbox()}`);
  });

  it('does not use a folder that is somebody else’s, and says what to do', async () => {
    const theirs = path.join(folder, 'theirs');
    mkdirSync(theirs);
    symlinkSync(theirs, sandbox());
    const output = await started();
    expect(output).toContain(`${sandbox()} is not a folder of yours`);
    expect(readdirSync(theirs)).toEqual([]);
  });
});
