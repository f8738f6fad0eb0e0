import { fchmodSync, fchownSync, fstatSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';

import { isRoot, userName } from '../../system/process/privileges.ts';
import type { Owner } from '../../system/process/privileges.ts';
import { shellWord, userText } from '../../system/path-trust.ts';
import { reasonOf } from '../../model/reason.ts';
import { SIGNATURE } from './format.ts';

/** Mode of a disk, which QEMU reads as another user. */
export const MODE = 0o644;
const MODE_BITS = 0o7777;

// Largest size in a configuration, in bytes.
const MAX_DISK_BYTES = 256 << 20;

// Uids of QEMU in Debian and RHEL, for hosts without the account.
const QEMU_UIDS: ReadonlySet<number> = new Set([64_055, 107]);
const QEMU_NAME = /^(?:libvirt-)?qemu$/;

const isQemu = (uid: number): boolean => {
  const name = userName(uid);
  return name === undefined ? QEMU_UIDS.has(uid) : QEMU_NAME.test(name);
};

const octal = (mode: number): string => (mode & MODE_BITS).toString(8);

const seclabel = (uid: number): string =>
  isQemu(uid)
    ? ". libvirt gives it to QEMU's user at the start of a VM that has it without a label: " +
      "put <seclabel model='dac' relabel='no'/> into the <source> of that disk (virsh edit VM)"
    : '';

/** Makes the error for a file of another user that this process cannot take over. */
export const wrongOwner = (path: string, { uid }: Stats, owner: Owner, code?: string): Error => {
  const to = userName(owner.uid) === undefined ? `${owner.uid}:${owner.gid}` : `${userName(owner.uid)}:`;
  return new Error(
    `${path} belongs to ${userText(uid)}, and must belong to ${userText(owner.uid)}` +
      `${code === undefined ? '' : ` (${code})`}. Run as root: chown ${to} ${shellWord(path)}${seclabel(uid)}`,
  );
};

// Guards against a wrong path: no other file may be overwritten, or given to another user.
const isDiskOrBlank = (fd: number, { size }: Stats): boolean => {
  const head = Buffer.alloc(64);
  readSync(fd, head, 0, head.length, 0);
  if (size > MAX_DISK_BYTES) return false;
  return head.every((byte) => byte === 0) || head.readUInt32BE(0) === SIGNATURE;
};

// Keeps a mode that an administrator has chosen, if QEMU can read the file with it.
const modeFor = (mode: number, foreign: boolean): number =>
  foreign || (mode & 0o044) === 0 ? MODE : (mode & MODE_BITS) | 0o600;

const change = (fd: number, path: string, stats: Stats, owner: Owner, mode: number): void => {
  try {
    if (stats.uid !== owner.uid) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
  } catch (cause) {
    if (stats.uid !== owner.uid) throw wrongOwner(path, stats, owner, reasonOf(cause));
    throw new Error(`${path} cannot get mode ${octal(mode)}: ${reasonOf(cause)}`, { cause });
  }
};

/**
 * Gives an open, locked file to `owner`, with a mode that lets QEMU read it. Only root can take over a file of another
 * user. Returns a message about the change, for the log.
 */
export const takeFile = (fd: number, path: string, owner: Owner): string | undefined => {
  const stats = fstatSync(fd);
  const foreign = stats.uid !== owner.uid;
  const mode = modeFor(stats.mode, foreign);
  // Without root, another user's disk to which this one may write stays as it is.
  if (foreign ? !isRoot() : mode === (stats.mode & MODE_BITS)) return undefined;
  if (foreign && !isDiskOrBlank(fd, stats))
    throw new Error(
      `${path} belongs to ${userText(stats.uid)} and is no metrics disk, so it is left as it is: ` +
        'remove it, or name another <path> for the disk',
    );
  change(fd, path, stats, owner, mode);
  if (!foreign)
    return `${path} had mode ${octal(stats.mode)}, with which QEMU cannot read it, and has ${octal(mode)} now`;
  return (
    `${path} belonged to ${userText(stats.uid)} with mode ${octal(stats.mode)}, and was taken over: ` +
    `it belongs to ${userText(owner.uid)} with mode ${octal(mode)} now${seclabel(stats.uid)}`
  );
};
