import { chmodSync, chownSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import type { Status } from '../../../src/daemon/status/status.ts';
import { type Ended, HOST, TEST_URI, vhostmd } from '../../cli/commands/program.ts';
import { action, libvirtStage, stat } from '../../integration/libvirt-stage.ts';
import { scratch, startDaemon, until } from '../../support/daemon.ts';

const NOBODY = 65_534;
const stage = libvirtStage();
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo();
});

const runtimeDirectory = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), 'vhostmd-run-'));
  left.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
};
const asking = (directory: string) => {
  const ask = (...args: readonly string[]): Ended =>
    vhostmd(['status', ...args], { env: { RUNTIME_DIRECTORY: directory, XDG_RUNTIME_DIR: '' } });
  return { ask, json: (): Status => JSON.parse(ask('--json').stdout) as Status };
};

describe('CASE E4: vhostmd watch --once where libvirt is away', () => {
  it('says so, exit status 1, of the daemon and of its disk; and nothing where no VM runs', async () => {
    const { run, libvirtd } = stage();
    const directory = runtimeDirectory();
    const env = { RUNTIME_DIRECTORY: directory, XDG_RUNTIME_DIR: '' };
    // `watch --once` waits for two different documents, so one value changes at each tick.
    const { disk } = await run(HOST + stat('host', 'host.time') + stat('vm', 'vcpu.current'), { env });
    const { json } = asking(directory);
    const watch = (...args: readonly string[]): Ended => vhostmd(['watch', '--once', ...args], { env });
    expect(watch()).toMatchObject({ code: 0, stderr: '' });
    const uuid = await libvirtd.create('one');
    await until('the VM', () => watch().stdout.includes(' one '), 60_000);
    libvirtd.kill('SIGKILL');
    left.push(async () => await libvirtd.start());
    await until('its values have left', () => json().snapshot?.domains === 0, 60_000);
    const said = /^vhostmd: No VM has a value: libvirt is away for .*\n$/m;
    for (const args of [[], [disk]]) {
      const { code, stdout, stderr } = watch(...args);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(said) as string });
      expect(stdout).not.toContain(uuid);
    }
    const { ask } = asking(directory);
    expect(ask().stdout).toMatch(/^Not well: 0 of 1 VM with values, /);
  });
});

describe('vhostmd status', () => {
  it('says that all is well, exit status 0, and the socket is gone after the end', async () => {
    const { run, libvirtd } = stage();
    const directory = runtimeDirectory();
    const { ask, json } = asking(directory);
    await libvirtd.create('one');
    const { daemon } = await run(HOST + stat('vm', 'vcpu.current'), { env: { RUNTIME_DIRECTORY: directory } });
    const { code, stdout, stderr } = ask();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^Well: 1 VM, snapshot [\d.]+ s old, up \d+\.\d s \(vhostmd [\d.]+, process \d+\)$/);
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^ {2}metrics disk: \d\.\d s ago, .* 1 host and 1 VM metrics of 1 VM/),
      expect.stringMatching(/^ {2}libvirt: connected to QEMU /),
    ]);
    expect(json()).toMatchObject({ well: true, pid: daemon.child.pid, sinks: [{ name: 'metrics disk' }] });
    expect((await daemon.stop()).code).toBe(0);
    expect(existsSync(path.join(directory, 'status.sock'))).toBe(false);
    expect(ask()).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('No daemon answers') });
  });

  it('says what is wrong while a sink hangs, an action fails and libvirt is away, and then that all is well', async () => {
    const { run, libvirtd, folder } = stage();
    const directory = runtimeDirectory();
    const { ask, json } = asking(directory);
    const flag = path.join(folder, 'mended');
    const stuck = path.join(folder, 'stuck.mjs');
    // This sink writes only when a file exists.
    writeFileSync(
      stuck,
      `import { defineSink, deliverLatest } from 'vhostmd';
      import { interval, filter, map, of, take } from 'rxjs';
      import { existsSync } from 'node:fs';
      const write$ = (snapshot) => interval(50).pipe(filter(() => existsSync(${JSON.stringify(flag)})), take(1),
        map(() => ({ kind: 'written', snapshot, message: 'at last' })));
      export default defineSink({ name: 'stuck', options: {},
        make: (_options, { scheduler }) => deliverLatest('stuck', of({ write$ }), { scheduler }) });`,
    );
    const fails = action('host', 'Fails', `[ -e ${flag} ] || exit 3; echo fine`);
    const { daemon } = await run(HOST + stat('vm', 'vcpu.current') + fails, {
      globals: `<sink module="${stuck}"/>`,
      env: { RUNTIME_DIRECTORY: directory },
    });
    libvirtd.kill('SIGKILL');
    await until('both are noticed', () => json().troubles.length === 3);
    const { code, stdout } = ask();
    expect(code).toBe(1);
    const [first, ...troubles] = stdout.trimEnd().split('\n');
    expect(first).toMatch(/^Not well: /);
    expect(troubles).toEqual([
      expect.stringMatching(/^ {2}sink "stuck" has not written for \d.* s, nor ever before$/),
      expect.stringMatching(/^ {2}libvirt is away for \d.* s: .+/),
      '  metric "Fails" has no value: exited with status 3',
    ]);
    // The other sinks continue.
    const { writes = 0 } = json().sinks[0] ?? {};
    await until('further writes', () => (json().sinks[0]?.writes ?? 0) > writes);

    writeFileSync(flag, '');
    await libvirtd.start();
    await until('all is well', () => ask().code === 0, 20_000);
    expect(json()).toMatchObject({ well: true, reconnects: 1 });
    rmSync(flag);
    await daemon.stop();
  });

  it('says that a changed configuration is not in force, until it is', async () => {
    const { run } = stage();
    const directory = runtimeDirectory();
    const { ask } = asking(directory);
    const { daemon, config } = await run(HOST, { env: { RUNTIME_DIRECTORY: directory } });
    const good = readFileSync(config, 'utf8');
    writeFileSync(config, good.replace('<name>HostName</name>', ''));
    daemon.child.kill('SIGHUP');
    await daemon.printed('Not reloaded');
    expect(ask()).toMatchObject({ code: 1, stdout: expect.stringContaining(`${config} was not reloaded`) });
    writeFileSync(config, good);
    daemon.child.kill('SIGHUP');
    await until('it is well again', () => ask().code === 0);
  });

  it('of a suspended daemon does not wait for ever', async () => {
    const { run } = stage();
    const directory = runtimeDirectory();
    const { ask } = asking(directory);
    const { daemon } = await run(HOST, { env: { RUNTIME_DIRECTORY: directory } });
    daemon.child.kill('SIGSTOP');
    const { code, stderr } = ask();
    daemon.child.kill('SIGCONT');
    expect(code).toBe(2);
    expect(stderr).toContain('no answer within 3 s: the daemon hangs or is suspended');
  });

  it('is for the first of two daemons; the second says once that it goes without', async () => {
    const { run } = stage();
    const directory = runtimeDirectory();
    const { json } = asking(directory);
    const env = { RUNTIME_DIRECTORY: directory };
    const first = await run(HOST, { env });
    const second = await run(HOST, { env });
    await second.daemon.printed('The status socket is not available');
    expect(second.daemon.output()).toContain('status.sock is in use: another program listens there');
    expect(json().pid).toBe(first.daemon.child.pid);
    await second.daemon.stop();
    expect(json().pid).toBe(first.daemon.child.pid);
  });

  it('of a daemon that was killed finds nobody, and the next daemon takes the socket over', async () => {
    const { run } = stage();
    const directory = runtimeDirectory();
    const { ask, json } = asking(directory);
    const env = { RUNTIME_DIRECTORY: directory };
    const first = await run(HOST, { env });
    await first.daemon.stop('SIGKILL');
    expect(ask()).toMatchObject({ code: 2, stderr: expect.stringContaining('nobody listens there any more') });
    const second = await run(HOST, { env });
    expect(json().pid).toBe(second.daemon.child.pid);
  });

  it('is not kept from its work by a runtime directory that cannot be made', async () => {
    const { run } = stage();
    const { daemon } = await run(HOST, { env: { RUNTIME_DIRECTORY: '/proc/nowhere' } });
    await daemon.printed(/The status socket is not available: .*\/proc\/nowhere/);
  });

  it.runIf(process.getuid?.() === 0)(
    'works with --user: its folder and socket are that user’s, and gone at the end',
    async () => {
      const parent = runtimeDirectory();
      const files = scratch(HOST);
      left.push(files.remove);
      chmodSync(parent, 0o755);
      chownSync(files.directory, NOBODY, NOBODY);
      const directory = path.join(parent, 'vhostmd');
      const socket = path.join(directory, 'status.sock');
      const { json } = asking(directory);
      const start = async () =>
        await startDaemon([...TEST_URI, '-f', files.config, '-u', 'nobody'], { env: { RUNTIME_DIRECTORY: directory } });
      const daemon = await start();
      expect(lstatSync(directory).uid).toBe(NOBODY);
      expect(lstatSync(socket).uid).toBe(NOBODY);
      expect(lstatSync(socket).mode & 0o777).toBe(0o660);
      expect(json().pid).toBe(daemon.child.pid);
      // The new configuration keeps the socket.
      daemon.child.kill('SIGHUP');
      await daemon.printed('Reloading');
      expect(json().pid).toBe(daemon.child.pid);
      await daemon.stop();
      expect(existsSync(socket)).toBe(false);
      // A folder that root has left behind is given to the user.
      chownSync(directory, 0, 0);
      const second = await start();
      expect(json().pid).toBe(second.child.pid);
      await second.stop();
    },
  );
});
