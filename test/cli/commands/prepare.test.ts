import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { PROGRAM, readMetrics, scratch, type Scratch, startDaemon } from '../../support/daemon.ts';
import { type Ended, HOST, TEST_URI, vhostmd } from './program.ts';
import { PATIENCE } from '../../support/patience.ts';

const NOBODY = 65_534;
const QEMU = 64_055;
const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';
const OTHER = '11111111-2222-3333-4444-555555555555';

let made: Scratch;
/** Folder of private disks, which the user owns. */
let folder: string;
beforeEach(() => {
  made = scratch(HOST);
  // In memory, like the folders of the service.
  folder = mkdtempSync('/dev/shm/vhostmd-test-');
  for (const there of [made.directory, folder]) chmodSync(there, 0o755);
});
afterEach(() => {
  made.remove();
  rmSync(folder, { recursive: true, force: true });
});

const privateAt = (pattern: string): void => {
  const vmDisk = `<vm_disk><path>${pattern}</path><size unit="k">64</size></vm_disk>`;
  writeFileSync(made.config, readFileSync(made.config, 'utf8').replace('</globals>', `${vmDisk}</globals>`));
};
const prepare = (...more: readonly string[]): Ended => vhostmd(['prepare', '-f', made.config, ...more]);

/** Runs `vhostmd prepare` with these files as libvirt's definitions of domains; then runs a shell command. */
const prepareWith = (files: Readonly<Record<string, string>>, config: string, then = ':'): Ended => {
  const defined = path.join(made.directory, 'qemu');
  mkdirSync(defined, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(defined, name), text);
  const script = `mount -t tmpfs none /etc/libvirt && cp -r "$1" /etc/libvirt/qemu && mount -t tmpfs none /dev/shm &&
    "$2" "$3" prepare -f "$4" -u nobody; echo "status $?"; ${then}`;
  const all = [defined, process.execPath, PROGRAM, config];
  const { status, signal, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...all], {
    encoding: 'utf8',
    timeout: 50_000 * PATIENCE,
  });
  return { code: status, signal, stdout, stderr };
};

describe('vhostmd prepare', () => {
  it('makes the disk of the configuration, with a valid empty document, and nothing the second time', async () => {
    const first = prepare();
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toContain(`${made.disk} was made for user `);
    expect(await readMetrics(made.disk)).toEqual([]);
    expect(statSync(made.disk).size).toBe(262_144);
    expect(prepare()).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('leaves a disk alone that a running daemon keeps', async () => {
    const daemon = await startDaemon([...TEST_URI, '-f', made.config]);
    try {
      expect(prepare()).toMatchObject({ code: 0, stdout: '', stderr: '' });
      expect(await readMetrics(made.disk)).toHaveLength(1);
    } finally {
      await daemon.stop();
    }
  });

  it('keeps the document that is there', async () => {
    await (await startDaemon([...TEST_URI, '-f', made.config])).stop();
    expect(prepare().code).toBe(0);
    expect(await readMetrics(made.disk)).toHaveLength(1);
  });

  it('with a configuration that is wrong makes nothing, and names the command that shows why', () => {
    writeFileSync(made.config, '<vhostmd>');
    const { code, stderr } = prepare();
    expect(stderr).toBe(
      `vhostmd: ${made.config} has mistakes, so no disk is made. Run: vhostmd check ${made.config}\n`,
    );
    expect(code).toBe(2);
  });

  it('runs nothing of the configuration: no module, no action', () => {
    const [module, trace] = ['module.mjs', 'trace'].map((name) => path.join(made.directory, name));
    writeFileSync(module ?? '', `import { writeFileSync } from 'node:fs'; writeFileSync('${trace}', 'ran');`);
    writeFileSync(
      made.config,
      readFileSync(made.config, 'utf8')
        .replace('</globals>', `<sink module="${module}"/></globals>`)
        .replace(
          '</metrics>',
          `<metric type="string" context="host"><name>A</name><action>touch ${trace}</action></metric></metrics>`,
        ),
    );
    expect(prepare().code).toBe(0);
    expect(existsSync(trace ?? '')).toBe(false);
  });
});

// Only root can change the owner of files.
describe.runIf(process.getuid?.() === 0)('vhostmd prepare, by root for another user', () => {
  it.each([
    ["root's, as the C daemon left it", 0],
    ["QEMU's user's", QEMU],
  ])('CASE A2: takes over a disk that is %s', (_, uid) => {
    expect(prepare().code).toBe(0);
    chownSync(made.disk, uid, uid);
    const { code, stdout } = prepare('--user', 'nobody');
    expect(stdout).toContain(`${made.disk} belonged to user ${uid}`);
    expect(statSync(made.disk)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o100644 });
    expect(code).toBe(0);
  });

  it('CASE A2: is for the user whom systemd gave the runtime directory, without --user', () => {
    const runtime = path.join(made.directory, 'runtime');
    mkdirSync(runtime);
    chownSync(runtime, NOBODY, NOBODY);
    const { code } = vhostmd(['prepare', '-f', made.config], { env: { RUNTIME_DIRECTORY: runtime } });
    expect(code).toBe(0);
    expect(statSync(made.disk)).toMatchObject({ uid: NOBODY, gid: NOBODY });
  });

  it('CASE A2: takes private disks over in the folder of the user, and makes that folder', () => {
    const own = path.join(folder, 'own');
    privateAt(`${own}/UUID.disk`);
    expect(prepare('-u', 'nobody').code).toBe(0);
    expect(statSync(own)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o40755 });
    copyFileSync(made.disk, path.join(own, `${UUID}.disk`));
    chownSync(path.join(own, `${UUID}.disk`), QEMU, QEMU);
    expect(prepare('-u', 'nobody').code).toBe(0);
    expect(statSync(path.join(own, `${UUID}.disk`))).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o100644 });
  });

  it("CASE A2: a folder of private disks that is somebody else's is refused, with the command", () => {
    privateAt(`${folder}/UUID.disk`);
    chownSync(folder, QEMU, QEMU);
    const { code, stderr } = prepare('-u', 'nobody');
    expect(stderr).toContain(`Private disks cannot be kept in ${folder}: ${folder} belongs to user ${QEMU}`);
    expect(stderr).toContain(`. Run as root: chown -h ${NOBODY}:${NOBODY} ${folder}`);
    expect(code).toBe(1);
  });

  const plants: readonly (readonly [string, (at: string, precious: string) => void])[] = [
    ['a symbolic link', (at, precious) => symlinkSync(precious, at)],
    ['a hard link', (at, precious) => linkSync(precious, at)],
    ['a fifo', (at) => void execFileSync('mkfifo', [at])],
    ['a device', (at) => void execFileSync('mknod', [at, 'b', '7', '77'])],
    ['a folder', (at) => mkdirSync(at)],
  ];
  it.each(plants)('CASE A2: root neither follows nor takes %s that the user plants as a private disk', (_, plant) => {
    // A valid disk that belongs to root.
    const precious = path.join(folder, 'precious');
    expect(prepare().code).toBe(0);
    copyFileSync(made.disk, precious);
    const before = readFileSync(precious);
    const own = path.join(folder, 'own');
    mkdirSync(own);
    chownSync(own, NOBODY, NOBODY);
    const at = path.join(own, `${UUID}.disk`);
    plant(at, precious);
    const { uid, rdev } = lstatSync(at);
    privateAt(`${own}/UUID.disk`);
    prepare('-u', 'nobody');
    expect(statSync(precious)).toMatchObject({ uid: 0, gid: 0 });
    expect(readFileSync(precious).equals(before)).toBe(true);
    expect(lstatSync(at)).toMatchObject({ uid, rdev });
  });

  it('CASE A2: root follows no folder that the user has replaced by a link', () => {
    const [own, elsewhere] = [path.join(folder, 'own'), path.join(folder, 'elsewhere')];
    for (const one of [own, elsewhere]) mkdirSync(one);
    chownSync(own, NOBODY, NOBODY);
    expect(prepare().code).toBe(0);
    copyFileSync(made.disk, path.join(elsewhere, 'disk'));
    symlinkSync(elsewhere, path.join(own, UUID));
    privateAt(`${own}/UUID/disk`);
    prepare('-u', 'nobody');
    expect(statSync(path.join(elsewhere, 'disk')).uid).toBe(0);
  });

  it('CASE A2: root takes no private disk in a folder that the user can put another one in the place of', () => {
    const [parent, own] = [path.join(folder, 'parent'), path.join(folder, 'parent/own')];
    mkdirSync(own, { recursive: true });
    expect(prepare().code).toBe(0);
    const disk = path.join(own, `${UUID}.disk`);
    copyFileSync(made.disk, disk);
    chownSync(disk, QEMU, QEMU);
    for (const one of [parent, own]) chownSync(one, NOBODY, NOBODY);
    privateAt(`${own}/UUID.disk`);
    const { code, stderr } = prepare('-u', 'nobody');
    expect(stderr).toContain(`${parent} can be changed by others than root, so root touches no private disk below it`);
    expect(code).toBe(1);
    expect(statSync(disk).uid).toBe(QEMU);
  });

  it('CASE A2: nor a link that comes and goes between the looks of root', async () => {
    const own = path.join(folder, 'own');
    const at = path.join(own, `${UUID}.disk`);
    mkdirSync(own);
    expect(prepare().code).toBe(0);
    const precious = path.join(folder, 'precious');
    copyFileSync(made.disk, precious);
    copyFileSync(made.disk, path.join(own, 'disk'));
    symlinkSync(precious, path.join(own, 'link'));
    chownSync(path.join(own, 'disk'), QEMU, QEMU);
    chownSync(own, NOBODY, NOBODY);
    privateAt(`${own}/UUID.disk`);
    const swap = `const { linkSync, renameSync, symlinkSync } = require('node:fs');
      const [own, at, precious] = process.argv.slice(1);
      for (;;) {
        try { renameSync(own + '/disk', at); renameSync(own + '/link', own + '/next'); renameSync(at, own + '/disk'); } catch {}
        try { renameSync(own + '/next', at); renameSync(at, own + '/link'); } catch {}
      }`;
    const drop = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', process.execPath];
    const swapping = spawn('setpriv', [...drop, '-e', swap, own, at, precious], { stdio: 'ignore' });
    try {
      await sleep(200);
      for (let times = 0; times < 10; times += 1) prepare('-u', 'nobody');
      expect(swapping.exitCode).toBe(null);
      expect(statSync(precious)).toMatchObject({ uid: 0, gid: 0 });
    } finally {
      swapping.kill('SIGKILL');
    }
  });

  it('CASE A3: makes the shared disk of the preset and a private one for each defined domain, libvirt not running', () => {
    const preset = path.join(made.directory, 'preset.xml');
    const text = readFileSync(new URL('../../../conf/vhostmd.xml', import.meta.url), 'utf8');
    const vmDisk = '<vm_disk><path>/dev/shm/own/UUID.disk</path><size unit="k">64</size></vm_disk>';
    writeFileSync(preset, text.replace('</globals>', `${vmDisk}</globals>`));
    const warning = `<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. <uuid>${OTHER.replaceAll('1', '9')}</uuid>\n-->\n`;
    const { stdout, stderr } = prepareWith(
      {
        'web1.xml': `${warning}<domain type='kvm'>\n  <name>&lt;uuid>web1</name>\n  <uuid>${UUID}</uuid>\n</domain>`,
        'db.xml': `<domain type='kvm'><name>db</name><uuid>${OTHER}</uuid><sysinfo><uuid>x</uuid></sysinfo></domain>`,
        'evil.xml': '<domain><name>e</name><uuid>../../../etc/x</uuid></domain>',
        'notes.txt': `<uuid>${OTHER.replaceAll('1', '8')}</uuid>`,
      },
      preset,
      'for disk in /dev/shm/vhostmd0 /dev/shm/own/*; do stat -c "%n %U %a %s" $disk; "$2" "$3" dump $disk; done; find /dev/shm -type f -printf "found %p\\n"',
    );
    expect(stderr).toBe('');
    expect(stdout).toContain('status 0\n');
    for (const disk of ['/dev/shm/vhostmd0', `/dev/shm/own/${OTHER}.disk`, `/dev/shm/own/${UUID}.disk`]) {
      const size = disk === '/dev/shm/vhostmd0' ? 262_144 : 65_536;
      expect(stdout).toMatch(new RegExp(`\n${disk} nobody 644 ${size}\n<metrics>\\s*</metrics>\n`));
    }
    expect(stdout.match(/^found /gm)).toHaveLength(3);
  });

  it('CASE A3: fails softly, disk by disk', () => {
    privateAt('/dev/shm/own/UUID.disk');
    writeFileSync(made.config, readFileSync(made.config, 'utf8').replace(`<path>${made.disk}<`, '<path>/proc/disk<'));
    const xml = `<domain><name>a</name><uuid>${UUID}</uuid></domain>`;
    const { stdout, stderr } = prepareWith({ 'a.xml': xml }, made.config, `ls /dev/shm/own/${UUID}.disk`);
    expect(stderr).toContain('vhostmd: /proc/disk cannot be ');
    expect(stdout).toContain('status 1\n');
    expect(stdout).toContain(`\n/dev/shm/own/${UUID}.disk\n`);
  });
});
