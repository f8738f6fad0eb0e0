import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { uniqueSums } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import { openFile } from '../../../src/sinks/metrics-disk/disk-file.ts';
import type { DiskFile } from '../../../src/sinks/metrics-disk/disk-file.ts';
import { systemPwrite } from '../../../src/sinks/metrics-disk/disk-writer.ts';
import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { openDisk } from '../../../src/sinks/metrics-disk/open-disk.ts';
import { takeFile } from '../../../src/sinks/metrics-disk/ownership.ts';
import { asOwner } from '../../../src/system/process/privileges.ts';
import { directories, documentOn, start, withUmask } from './harness.ts';
import { known, startPrivate, tick } from './private-harness.ts';

const { make, removeAll } = directories();
const NOBODY = 65_534;
/** Uid of QEMU in Debian. */
const QEMU = 64_055;
/** A user without an account. */
const OTHER = 61_239;
const ROOT = { uid: 0, gid: 0 };
const USER = { uid: NOBODY, gid: NOBODY };

afterEach(removeAll);

/** Makes a file of a user with a mode, in a folder of `USER`; returns its path. */
const file = (content: string | Uint8Array, uid: number, mode: number): string => {
  const folder = make();
  chownSync(folder, NOBODY, NOBODY);
  const path = join(folder, 'disk');
  writeFileSync(path, content);
  chmodSync(path, mode);
  chownSync(path, uid, uid);
  return path;
};
const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);
const open = (path: string, owner = USER): Omit<DiskFile, 'fd'> => {
  const { fd, ...rest } = openFile(path, CHUNK, owner, systemPwrite);
  closeSync(fd);
  return rest;
};
/** Returns the error that `work` throws. */
const thrown = (work: () => unknown): Error => {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('no error');
};
const failure = (work: () => unknown): string => thrown(work).message;

describe('the mode of an own disk', () => {
  it.each([
    [0o644, '644'],
    [0o640, '640'],
    [0o604, '604'],
    [0o666, '666'],
    [0o440, '640'],
    [0o600, '644'],
    [0o700, '644'],
    [0o622, '644'],
  ])('%o becomes %s: QEMU can read the disk, the owner can write to it, and all else stays', (mode, after) => {
    const path = file('', NOBODY, mode);
    const { taken } = open(path);
    expect(modeOf(path)).toBe(after);
    const before = mode.toString(8);
    expect(taken).toBe(
      before === after ? undefined : `${path} had mode ${before}, with which QEMU cannot read it, and has ${after} now`,
    );
  });

  it('is mended without a change of its group', () => {
    const path = file('', NOBODY, 0o600);
    chownSync(path, NOBODY, OTHER);
    open(path);
    expect(statSync(path).gid).toBe(OTHER);
  });

  it('is mended without root, also where the owner itself may not write', () => {
    const path = file('', NOBODY, 0o444);
    asOwner(USER, () => open(path));
    expect(modeOf(path)).toBe('644');
  });

  it('that cannot be changed is an error, with both', () => {
    const fd = openSync('/proc/self/environ', 'r');
    const error = thrown(() => takeFile(fd, '/proc/self/environ', ROOT));
    expect(error.message).toMatch(/^\/proc\/self\/environ cannot get mode 644: EPERM/);
    expect(error.cause).toMatchObject({ code: 'EPERM' });
    closeSync(fd);
  });
});

describe('root takes over a disk', () => {
  const taken = (path: string, whose: string, mode: string): string =>
    `${path} belonged to ${whose} with mode ${mode}, and was taken over: it belongs to user ${NOBODY} (nobody) with mode 644 now`;

  it.each([
    ['with the signature', Buffer.from('mvbd, and more than 64 bytes of anything'.padEnd(100, '.'))],
    ['with only the signature', 'mvbd'],
    ['that is empty', ''],
    ['that starts with zeros', Buffer.concat([Buffer.alloc(64), Buffer.from('x')])],
  ])('%s, with a message', (_what, content) => {
    const path = file(content, OTHER, 0o606);
    expect(open(path).taken).toBe(taken(path, `user ${OTHER}`, '606'));
    expect(statSync(path)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o100644 });
  });

  it.each([
    ['with another signature', 'mvbc'],
    ['with less than a signature', 'mvb'],
    ['with something in its first 64 bytes', Buffer.concat([Buffer.alloc(63), Buffer.from('x')])],
  ])('but no file %s', (_what, content) => {
    const path = file(content, OTHER, 0o606);
    expect(failure(() => open(path))).toContain('is no metrics disk, so it is left as it is');
    expect(statSync(path)).toMatchObject({ uid: OTHER, gid: OTHER, mode: 0o100606, size: content.length });
  });

  it('of up to 256 MiB, and no larger file', () => {
    const path = file('', OTHER, 0o600);
    const take = (): unknown => {
      const fd = openSync(path, 'r');
      try {
        return takeFile(fd, path, USER);
      } finally {
        closeSync(fd);
      }
    };
    truncateSync(path, (256 << 20) + 1);
    expect(failure(take)).toContain('is no metrics disk, so it is left as it is');
    truncateSync(path, 256 << 20);
    expect(take()).toBe(taken(path, `user ${OTHER}`, '600'));
  });

  it("of QEMU's user with the setting of libvirt that keeps it from changing the owner again", () => {
    const path = file('mvbd', QEMU, 0o600);
    const message = open(path).taken ?? '';
    expect(message).toMatch(new RegExp(`^${path} belonged to user ${QEMU}.* with mode 600, and was taken over`));
    expect(message).toMatch(
      /now\. libvirt gives it to QEMU's user at the start of a VM that has it without a label: put <seclabel model='dac' relabel='no'\/> into the <source> of that disk \(virsh edit VM\)$/,
    );
  });

  it('and names the command where even root cannot', () => {
    const fd = openSync('/proc/self/timers', 'r');
    expect(failure(() => takeFile(fd, '/proc/self/timers', USER))).toMatch(
      /^\/proc\/self\/timers belongs to user 0 \(root\), and must belong to user 65534 \(nobody\) \(EPERM.*\)\. Run as root: chown nobody: \/proc\/self\/timers$/,
    );
    closeSync(fd);
  });
});

describe('another user than root', () => {
  it.each([
    [OTHER, 0o666, `chown nobody: `],
    [QEMU, 0o600, `chown nobody: `],
  ])('is refused the disk of user %d with mode %o, with the command', (uid, mode, command) => {
    const path = file('mvbd', uid, mode);
    const text = failure(() => asOwner(USER, () => open(path)));
    expect(text).toContain(`${path} belongs to user ${uid}`);
    expect(text).toContain(`, and must belong to user ${NOBODY} (nobody). Run as root: ${command}${path}`);
    expect(text.includes('<seclabel')).toBe(uid === QEMU);
    expect(modeOf(path)).toBe(mode.toString(8));
  });

  it('without a name is in the command by its numbers', () => {
    const path = file('mvbd', QEMU, 0o666);
    const owner = { uid: OTHER, gid: OTHER + 1 };
    chmodSync(join(path, '..'), 0o755);
    expect(failure(() => asOwner(owner, () => open(path, owner)))).toContain(
      `Run as root: chown ${OTHER}:${OTHER + 1} ${path}`,
    );
  });

  it("gets root's disk if root lets it write, and else the reason and the command", () => {
    const path = file('mvbd', 0, 0o666);
    expect(asOwner(USER, () => open(path)).taken).toBe(undefined);
    expect(statSync(path).uid).toBe(0);
    for (const mode of [0o644, 0o444]) {
      chmodSync(path, mode);
      expect(failure(() => asOwner(USER, () => open(path)))).toBe(
        `${path} belongs to user 0 (root), and must belong to user ${NOBODY} (nobody) (EACCES). Run as root: chown nobody: ${path}`,
      );
    }
  });

  it('cannot open a disk in a folder that it may not enter', () => {
    const path = file('mvbd', NOBODY, 0o644);
    chownSync(join(path, '..'), 0, 0);
    const error = thrown(() => asOwner(USER, () => open(path)));
    expect(error.message).toBe(`${path} cannot be opened: EACCES: permission denied`);
    expect(error.cause).toMatchObject({ code: 'EACCES' });
  });
});

describe('a disk that root has opened before it became another user', () => {
  it('is not gone in a folder that the user may not enter', () => {
    const path = join(make(), 'disk');
    const disk = openDisk({ path, size: CHUNK }, uniqueSums());
    expect(asOwner(USER, disk.gone)).toBe(false);
    rmSync(path);
    expect(disk.gone()).toBe(true);
    disk.close();
  });

  it('is touched although only its owner may set its time', () => {
    const path = join(make(), 'disk');
    const disk = openDisk({ path, size: CHUNK }, uniqueSums());
    utimesSync(path, 1000, 1000);
    expect(asOwner(USER, () => disk.publish([]))).toMatchObject({ changed: false });
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000);
    disk.close();
  });
});

describe('a new disk', () => {
  it('in a folder that only root can change is made by root for the user', () => {
    const path = join(make(), 'disk');
    expect(open(path)).toMatchObject({ created: true, size: CHUNK });
    expect(statSync(path)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o100644 });
  });

  it('is made with its folder, through which QEMU can pass, if only that one is missing', () => {
    const top = make();
    chmodSync(top, 0o755);
    const folder = join(top, 'own');
    withUmask(0o077, () => open(join(folder, 'disk')));
    expect(statSync(folder)).toMatchObject({ uid: NOBODY, gid: NOBODY, mode: 0o40755 });
    expect(statSync(join(folder, 'disk')).uid).toBe(NOBODY);
  });

  it.each([
    ['neither the user nor only root can change', OTHER, OTHER],
    ['may be written to by root only, for another user than root', 0, 0],
  ])('is not made in a folder that %s; the command is named', (_what, uid, euid) => {
    const folder = make();
    chmodSync(folder, 0o755);
    chownSync(folder, uid, uid);
    const path = join(folder, "it's a disk");
    const work = (): unknown => open(path);
    const text = failure(euid === 0 ? () => asOwner(USER, work) : work);
    const whose = uid === 0 ? 'user 0 (root)' : `user ${OTHER}`;
    expect(text).toBe(
      `${path} cannot be made, because user ${NOBODY} (nobody) may not write to ${folder}, which belongs to ${whose}. ` +
        `Run as root: install -o nobody -g ${NOBODY} -m 644 /dev/null '${path.replace("'", String.raw`'\''`)}'`,
    );
  });

  it('in a folder of another user that the user may not enter names that folder only if it exists', () => {
    const top = make();
    chownSync(top, OTHER, OTHER);
    mkdirSync(join(top, 'own'));
    const denied = (path: string, folder: string): string =>
      `${path} cannot be made, because user ${NOBODY} (nobody) may not write to ${folder}`;
    const there = join(top, 'own', 'disk');
    expect(failure(() => open(there))).toContain(
      `${denied(there, join(top, 'own'))}, which belongs to user 0 (root). `,
    );
    const none = join(top, 'none', 'own');
    expect(failure(() => open(join(none, 'disk')))).toContain(`${denied(none, join(top, 'none'))}. Run as root: `);
  });

  it('is not made through a link in the place of its folder', () => {
    const top = make();
    chmodSync(top, 0o755);
    symlinkSync(join(top, 'elsewhere'), join(top, 'own'));
    const path = join(top, 'own', 'disk');
    expect(failure(() => open(path))).toBe(`${path} cannot be opened: ENOENT: no such file or directory`);
    expect(readdirSync(top)).toEqual(['own']);
  });

  it('that the file system cannot hold has the reason', () => {
    expect(failure(() => open('/proc/none'))).toBe('/proc/none cannot be opened: ENOENT: no such file or directory');
  });

  it('whose folder cannot be made either has the reason, and the command', () => {
    const top = make();
    chownSync(top, OTHER, OTHER);
    chmodSync(top, 0o755);
    const path = join(top, 'own', 'disk');
    expect(failure(() => open(path))).toMatch(
      new RegExp(
        `^${path} cannot be made, because its folder ${top}/own cannot: ${top}/own cannot be made, because .*\\. Run as root: mkdir -p ${top}/own$`,
      ),
    );
    writeFileSync(join(top, 'file'), '');
    const error = thrown(() => open(join(top, 'file', 'own', 'disk')));
    expect(error.message).toContain('ENOTDIR');
    expect(error.cause).toMatchObject({ code: 'ENOTDIR' });
  });
});

describe('a metrics disk of another user', () => {
  it('FAULTS 42: that is no metrics disk is refused, and left as it is', () => {
    const path = join(make(), 'disk');
    writeFileSync(path, 'precious');
    chownSync(path, NOBODY, NOBODY);
    const disk = start({ path });
    disk.stop();
    expect(disk.said('failed')).toEqual([
      `${path} belongs to user ${NOBODY} (nobody) and is no metrics disk, so it is left as it is: ` +
        'remove it, or name another <path> for the disk',
    ]);
    expect(statSync(path).uid).toBe(NOBODY);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('FAULTS 42: that is no metrics disk gives one warning as a private disk, and affects no other', () => {
    const disks = startPrivate(make());
    writeFileSync(disks.pathOf(1), 'precious');
    chownSync(disks.pathOf(1), NOBODY, NOBODY);
    for (const number of [1, 2]) disks.publish(tick(number, [known(1), known(2)]));
    disks.stop();
    expect(disks.said('warning')).toHaveLength(1);
    expect(disks.said('warning')[0]).toContain('is no metrics disk, so it is left as it is');
    expect(documentOn(disks.pathOf(2))).toContain('tick 2');
    expect(readFileSync(disks.pathOf(1), 'utf8')).toBe('precious');
  });

  it('is taken if it is of root or of the given owner', () => {
    const directory = make();
    const [rooted, owned] = [join(directory, 'rooted'), join(directory, 'owned')];
    writeFileSync(rooted, '');
    chownSync(rooted, 0, 0);
    writeFileSync(owned, '');
    chownSync(owned, NOBODY, NOBODY);
    for (const path of [rooted, owned]) {
      const disk = start({ path, owner: { uid: NOBODY, gid: NOBODY } });
      disk.stop();
      expect(disk.said('failed')).toEqual([]);
    }
  });

  it('FAULTS 42: a block device is refused', () => {
    const path = join(make(), 'disk');
    execFileSync('mknod', [path, 'b', '7', '77']);
    const disk = start({ path });
    disk.stop();
    expect(disk.said('failed')[0]).toContain('is a block device, and a metrics disk must be a regular file');
    expect(lstatSync(path).isBlockDevice()).toBe(true);
  });
});
