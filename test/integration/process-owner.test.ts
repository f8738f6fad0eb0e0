import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { HOST, TEST_URI, vhostmd } from '../cli/commands/program.ts';
import { hasDocument, PROGRAM, readMetrics, type RunningDaemon, type Scratch, until } from '../support/daemon.ts';
import { stage } from './process-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const NOBODY = 65_534;
const QEMU = 64_055;
/** No user of this machine has this id. */
const SOMEONE = 43_210;
/** The domain of libvirt's test driver. */
const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';
const SECLABEL = "<seclabel model='dac' relabel='no'/>";

const { place: placeAnywhere, start } = stage();
const place = (...args: Parameters<typeof placeAnywhere>): Scratch => {
  const made = placeAnywhere(...args);
  chmodSync(made.directory, 0o755);
  return made;
};
const withPath = ({ config, disk }: Scratch, other: string): string => {
  writeFileSync(config, readFileSync(config, 'utf8').replace(`<path>${disk}<`, `<path>${other}<`));
  return other;
};
const linesWith = (daemon: RunningDaemon, text: string): readonly string[] =>
  daemon
    .output()
    .split('\n')
    .filter((line) => line.includes(text));
/** Runs the daemon as nobody from the start, without root's rights. */
const asNobody = (config: string): { readonly code: number | null; readonly output: string } => {
  const drop = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  const args = [...drop, process.execPath, PROGRAM, '-d', ...TEST_URI, '-f', config];
  try {
    return {
      code: 0,
      output: execFileSync('setpriv', args, { encoding: 'utf8', stdio: 'pipe', timeout: 30_000 * PATIENCE }),
    };
  } catch (error) {
    const { status, stderr } = error as { status: number | null; stderr: string };
    return { code: status, output: stderr };
  }
};

// Only root can change the owner of files.
describe.runIf(process.getuid?.() === 0)("a disk that is another user's", () => {
  it.each([
    ["QEMU's user", QEMU, QEMU, 0o644],
    ['the user of an earlier run', NOBODY, NOBODY, 0o644],
    ['nobody that is known here, and may be read by nobody else', SOMEONE, SOMEONE, 0o600],
    ["QEMU's user in another group, writable by all", QEMU, 108, 0o666],
  ])('CASE A1: a daemon of root takes back the shared disk of %s, with one notice', async (_, uid, gid, mode) => {
    const { config, disk } = place(HOST);
    const first = await start([...TEST_URI, '-f', config]);
    // SIGKILL, so that the daemon cannot clean up.
    await first.stop('SIGKILL');
    const { ino } = statSync(disk);
    chownSync(disk, uid, gid);
    chmodSync(disk, mode);
    const second = await start([...TEST_URI, '-f', config]);
    expect(statSync(disk)).toMatchObject({ ino, uid: 0, gid: 0, mode: 0o100644 });
    expect(linesWith(second, 'was taken over')).toHaveLength(1);
    expect(second.output()).toContain(`${disk} belonged to user ${uid}`);
    expect(second.output().includes(SECLABEL)).toBe(uid === QEMU);
    const before = statSync(disk).mtimeMs;
    await until('an update', () => statSync(disk).mtimeMs > before);
    await second.stop();
    const third = await start([...TEST_URI, '-f', config]);
    expect(linesWith(third, 'was taken over')).toEqual([]);
  });

  it("CASE A1: a daemon of root goes on writing a private disk that libvirt gave to QEMU's user", async () => {
    const made = place(HOST, { globals: '' });
    const own = path.join(made.directory, `${UUID}.disk`);
    const vmDisk = `<vm_disk><path>${made.directory}/UUID.disk</path><size unit="k">64</size></vm_disk>`;
    writeFileSync(made.config, readFileSync(made.config, 'utf8').replace('</globals>', `${vmDisk}</globals>`));
    const first = await start([...TEST_URI, '-f', made.config]);
    await until('the private disk', async () => await hasDocument(own));
    await first.stop('SIGKILL');
    const { ino } = statSync(own);
    chownSync(own, QEMU, QEMU);
    const second = await start([...TEST_URI, '-f', made.config]);
    await until('an owner', () => statSync(own).uid === 0);
    expect(statSync(own)).toMatchObject({ ino, uid: 0, gid: 0 });
    const before = statSync(own).mtimeMs;
    await until('an update', () => statSync(own).mtimeMs > before);
    await until('the notice', () => linesWith(second, `${own} belonged to user ${QEMU}`).length === 1);
  });

  it('CASE A1: root leaves a file that another daemon keeps, and whatever is no disk, to whom it belongs', async () => {
    const { config, disk, directory } = place(HOST);
    const holder = spawn('flock', [disk, 'sh', '-c', 'echo locked; read line'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    chownSync(disk, QEMU, QEMU);
    const busy = vhostmd(['-d', ...TEST_URI, '-f', config]);
    expect(busy.stderr).toContain(`${disk} is already in use by another vhostmd`);
    expect({ code: busy.code, uid: statSync(disk).uid }).toEqual({ code: 1, uid: QEMU });
    holder.stdin.end('\n');
    writeFileSync(disk, 'precious');
    const precious = vhostmd(['-d', ...TEST_URI, '-f', config]);
    expect(precious.stderr).toContain('is no metrics disk, so it is left as it is');
    expect({ uid: statSync(disk).uid, text: readFileSync(disk, 'utf8') }).toEqual({ uid: QEMU, text: 'precious' });
    writeFileSync(disk, '');
    linkSync(disk, path.join(directory, 'second'));
    const linked = vhostmd(['-d', ...TEST_URI, '-f', config]);
    expect(linked.stderr).toContain('has 2 hard links');
    expect({ code: linked.code, uid: statSync(disk).uid }).toEqual({ code: 1, uid: QEMU });
  });

  it.each([
    ["root's, as the C daemon left it", 0, 0],
    ["QEMU's user's", QEMU, QEMU],
    ["somebody else's", SOMEONE, 0],
  ])('CASE A2: with --user a disk is taken over before root is given up, if it is %s', async (_, uid, gid) => {
    const { config, disk } = place(HOST);
    await (await start([...TEST_URI, '-f', config])).stop();
    const { ino } = statSync(disk);
    chownSync(disk, uid, gid);
    const daemon = await start([...TEST_URI, '-f', config, '-u', 'nobody']);
    expect(statSync(disk)).toMatchObject({ ino, uid: NOBODY, gid: NOBODY, mode: 0o100644 });
    expect(linesWith(daemon, `${disk} belonged to user ${uid}`)).toHaveLength(1);
    const before = statSync(disk).mtimeMs;
    await until('an update', () => statSync(disk).mtimeMs > before);
  });

  it.each([0o755, 0o711, 0o700])(
    'CASE A2: with --user a disk is made in a folder that only root may write to (mode %o)',
    async (mode) => {
      const { config, disk, directory } = place(HOST);
      chmodSync(directory, mode);
      for (const times of [1, 2]) {
        const daemon = await start([...TEST_URI, '-f', config, '-u', 'nobody']);
        expect(statSync(disk), String(times)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o100644 });
        const before = statSync(disk).mtimeMs;
        await until('an update', () => statSync(disk).mtimeMs > before);
        expect(linesWith(daemon, 'replaced')).toEqual([]);
        expect((await daemon.stop()).code).toBe(0);
      }
    },
  );

  it('CASE A2: with --user private disks get their folder, and are taken over, before root is given up', async () => {
    const made = place(HOST);
    const folder = path.join(made.directory, 'own');
    const own = path.join(folder, `${UUID}.disk`);
    const vmDisk = `<vm_disk><path>${folder}/UUID.disk</path><size unit="k">64</size></vm_disk>`;
    writeFileSync(made.config, readFileSync(made.config, 'utf8').replace('</globals>', `${vmDisk}</globals>`));
    const first = await start([...TEST_URI, '-f', made.config, '-u', 'nobody']);
    await until('the private disk', async () => await hasDocument(own));
    expect(statSync(folder)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o40755 });
    await first.stop();
    chownSync(own, QEMU, QEMU);
    const second = await start([...TEST_URI, '-f', made.config, '-u', 'nobody']);
    expect(statSync(own).uid).toBe(NOBODY);
    expect(linesWith(second, `${own} belonged to user ${QEMU}`)).toHaveLength(1);
  });

  it('CASE A2: what a daemon that is not root cannot take names both owners and the command that mends it', async () => {
    const { config, disk, directory } = place(HOST);
    await (await start([...TEST_URI, '-f', config])).stop();
    const roots = asNobody(config);
    expect(roots.output).toContain(
      `${disk} belongs to user 0 (root), and must belong to user ${NOBODY} (nobody) (EACCES). Run as root: chown nobody: ${disk}`,
    );
    expect(roots.output).not.toContain('seclabel');
    expect(roots.code).toBe(1);
    chownSync(disk, QEMU, QEMU);
    const qemus = asNobody(config);
    expect(qemus.output).toMatch(/ belongs to user 64055\b/);
    expect(qemus.output).toContain(SECLABEL);
    chownSync(disk, SOMEONE, SOMEONE);
    const someones = asNobody(config);
    expect(someones.output).toContain(`belongs to user ${SOMEONE}, and must belong to user ${NOBODY}`);
    expect(someones.output).not.toContain('seclabel');
    rmSync(disk);
    const none = asNobody(config);
    const command = `install -o nobody -g ${NOBODY} -m 644 /dev/null ${disk}`;
    expect(none.output).toContain(
      `may not write to ${directory}, which belongs to user 0 (root). Run as root: ${command}`,
    );
    // Runs the command of the message.
    execFileSync('sh', ['-c', command]);
    const daemon = await start([...TEST_URI, '-f', config, '-u', 'nobody']);
    expect(linesWith(daemon, 'taken over')).toEqual([]);
  });

  it('CASE A2: a new disk of a reload, when root has gone, is made by the command that the log names', async () => {
    const made = place(HOST);
    const daemon = await start([...TEST_URI, '-f', made.config, '-u', 'nobody']);
    const other = withPath(made, path.join(made.directory, 'other'));
    daemon.child.kill('SIGHUP');
    await daemon.printed('Run as root: ', 20_000);
    const [command = ''] = /(?<=Run as root: ).*/.exec(daemon.output()) ?? [];
    execFileSync('sh', ['-c', command]);
    await until(
      'the new disk',
      async () =>
        await readMetrics(other).then(
          ({ length }) => length === 1,
          () => false,
        ),
      60_000,
    );
    expect(statSync(other).uid).toBe(NOBODY);
  });
});

describe('a disk whose folder is missing', () => {
  const folders: string[] = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  it('CASE A4: the last folder is made, so that every user gets through it, whatever the umask', async () => {
    const made = place(HOST);
    const disk = withPath(made, path.join(made.directory, 'vhostmd', 'disk0'));
    const umask = process.umask(0o077);
    try {
      await start([...TEST_URI, '-f', made.config]);
    } finally {
      process.umask(umask);
    }
    expect(statSync(path.dirname(disk)).mode & 0o7777).toBe(0o755);
    expect(statSync(disk).mode & 0o7777).toBe(0o644);
    expect(await readMetrics(disk)).toHaveLength(1);
  });

  it('CASE A4: more than the last is not made, and the command that makes it is named', () => {
    const made = place(HOST);
    const disk = withPath(made, path.join(made.directory, 'no', 'vhostmd', 'disk0'));
    const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', made.config]);
    expect(stderr).toContain(
      `${disk} cannot be made, because its folder ${path.dirname(disk)} cannot: ${made.directory}/no does not exist. ` +
        `Run as root: mkdir -p ${path.dirname(disk)}`,
    );
    expect(code).toBe(1);
    expect(readdirSync(made.directory)).toEqual(['vhostmd.conf']);
  });

  it.runIf(process.getuid?.() === 0).each([
    ['in a folder that all may write to', 0o1777],
    ["in a folder that is root's", 0o755],
  ])('CASE A4: with --user it is made for that user, %s', async (_, mode) => {
    const made = place(HOST);
    const shared = mkdtempSync('/dev/shm/vhostmd-test-');
    folders.push(shared);
    chmodSync(shared, mode);
    const disk = withPath(made, path.join(shared, 'vhostmd', 'disk0'));
    await start([...TEST_URI, '-f', made.config, '-u', 'nobody']);
    expect(statSync(path.dirname(disk))).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o40755 });
    expect(statSync(disk)).toMatchObject({ uid: NOBODY, mode: 0o100644 });
    // The daemon can create it again without root.
    rmSync(disk);
    await until('the new disk', async () => await hasDocument(disk));
  });

  it.runIf(process.getuid?.() === 0)(
    'CASE A4: with --user root makes nothing where another user decides what a path leads to',
    () => {
      const made = place(HOST);
      const foreign = path.join(made.directory, 'foreign');
      mkdirSync(foreign);
      chownSync(foreign, SOMEONE, SOMEONE);
      for (const below of [['disk0'], ['vhostmd', 'disk0']]) {
        const there = place(HOST);
        withPath(there, path.join(foreign, ...below));
        const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', there.config, '-u', 'nobody']);
        expect(stderr).toContain(`may not write to ${foreign}, which belongs to user ${SOMEONE}`);
        expect(code).toBe(1);
      }
      expect(readdirSync(foreign)).toEqual([]);
    },
  );
});

describe.runIf(process.getuid?.() === 0)('a file system that may hang', () => {
  it('CASE F5: is named once, at the start or at the reload that brings it; one in memory is not', async () => {
    const made = place(HOST);
    const memory = path.join(made.directory, 'memory');
    const other = path.join(made.directory, 'other');
    for (const folder of [memory, other]) mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', 'none', memory]);
    try {
      for (const part of ['lower', 'upper', 'work']) mkdirSync(path.join(memory, part));
      const parts = ['lower', 'upper', 'work'].map((part) => `${part}dir=${memory}/${part}`).join(',');
      execFileSync('mount', ['-t', 'overlay', '-o', parts, 'none', other]);
      withPath(made, path.join(memory, 'disk'));
      const daemon = await start([...TEST_URI, '-f', made.config]);
      expect(linesWith(daemon, 'not in memory')).toEqual([]);
      const disk = path.join(other, 'disk');
      withPath({ ...made, disk: path.join(memory, 'disk') }, disk);
      for (const times of [1, 2]) {
        daemon.child.kill('SIGHUP');
        await until('the reload', () => linesWith(daemon, 'Reloading').length === times, 30_000);
      }
      await until('the disk', async () => await hasDocument(disk), 30_000);
      expect(linesWith(daemon, `${disk} is on a file system that is not in memory`)).toHaveLength(1);
      await daemon.stop();
      const second = await start([...TEST_URI, '-f', made.config]);
      expect(linesWith(second, `${disk} is on a file system that is not in memory`)).toHaveLength(1);
      await second.stop();
    } finally {
      for (const folder of [other, memory]) execFileSync('umount', ['-l', folder]);
    }
  });
});
