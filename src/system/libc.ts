import { createRequire } from 'node:module';

import type * as Koffi from 'koffi';

import { reasonOf } from '../model/reason.ts';
import { once } from './once.ts';

/** Thrown if koffi, the bridge to C libraries, cannot be loaded on this machine. */
export class NoBridge extends Error {
  override readonly name = 'NoBridge';
}

// Architectures that koffi supports, by Node's names.
const ARCHITECTURES: readonly string[] = ['x64', 'ia32', 'arm', 'arm64', 'riscv64', 'loong64', 'ppc64'];

/**
 * Loads koffi, the bridge to C libraries, at the first use (30 ms).
 *
 * @throws NoBridge if it has no binary for this machine.
 */
export const bridge = once((): typeof Koffi => {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (cause) {
    const [reason] = reasonOf(cause).split('\n');
    const advice = ARCHITECTURES.includes(process.arch)
      ? 'Where it has no binary for a machine it is built from its source: install a C++ compiler and CMake, then run npm rebuild koffi in the folder of vhostmd'
      : `It runs on ${ARCHITECTURES.join(', ')} (little-endian) only, and cannot be built for others: run vhostmd on a host of one of these`;
    throw new NoBridge(
      `The npm package koffi, by which vhostmd calls the C libraries, does not run on ${process.platform} ${process.arch} (${reason}). ${advice}`,
      { cause },
    );
  }
});

/** Loads the C library of this process. */
export const cLibrary = (): { readonly koffi: typeof Koffi; readonly self: Koffi.LibraryHandle } => {
  const koffi = bridge();
  return { koffi, self: koffi.load(null) };
};

/** Functions of the C library that Node lacks. */
interface Libc {
  readonly flock: (fd: number, operation: number) => number;
  readonly fcntl: (fd: number, command: number, flags: number) => number;
  readonly posix_fadvise: (fd: number, offset: number, length: number, advice: number) => number;
  readonly sysconf: (name: number) => number;
  readonly setgroups: (count: number, groups: Uint32Array) => number;
  readonly setresgid: (real: number, effective: number, saved: number) => number;
  readonly setresuid: (real: number, effective: number, saved: number) => number;
  readonly _exit: (status: number) => void;
  readonly errno: () => number;
  readonly wouldBlock: number | undefined;
}

// From <sys/file.h> and <fcntl.h>; equal on all architectures of Node on Linux except s390.
const LOCK_EX = 2;
const LOCK_NB = 4;
const POSIX_FADV_DONTNEED = 4;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
// From <bits/confname.h> of glibc; equal in musl.
const SC_CLK_TCK = 2;
const SC_PAGESIZE = 30;

const libc = once((): Libc => {
  const { koffi, self } = cLibrary();
  return {
    flock: self.func('int flock(int fd, int operation)') as Libc['flock'],
    fcntl: self.func('int fcntl(int fd, int command, int flags)') as Libc['fcntl'],
    posix_fadvise: self.func(
      'int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)',
    ) as Libc['posix_fadvise'],
    sysconf: self.func('long sysconf(int name)') as Libc['sysconf'],
    setgroups: self.func('int setgroups(size_t count, const uint32_t *groups)') as Libc['setgroups'],
    setresgid: self.func('int setresgid(uint32_t real, uint32_t effective, uint32_t saved)') as Libc['setresgid'],
    setresuid: self.func('int setresuid(uint32_t real, uint32_t effective, uint32_t saved)') as Libc['setresuid'],
    _exit: self.func('void _exit(int status)') as Libc['_exit'],
    errno: () => koffi.errno(),
    wouldBlock: koffi.os.errno['EWOULDBLOCK'] ?? koffi.os.errno['EAGAIN'],
  };
});

/** Takes the exclusive flock(2) of a file without waiting; false if another process has it. Closing releases it. */
export const tryLock = (fd: number): boolean => {
  const { flock, errno, wouldBlock } = libc();
  if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const code = errno();
  if (code === wouldBlock) return false;
  throw new Error(`flock failed with errno ${code}`);
};

/** Drops the page cache of a file or device, so that the next read gets the current content (posix_fadvise(3)). */
export const dropCache = (fd: number): void => {
  libc().posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
};

/** Sets close-on-exec, so that programs that this process starts do not inherit the file. */
export const closeOnExec = (fd: number): void => {
  libc().fcntl(fd, F_SETFD, FD_CLOEXEC);
};

// Constants of the system, each read once. /proc/self/auxv also has them, but is unreadable after a change of user.
const sysconf = (name: number, what: string): (() => number) =>
  once(() => {
    const value = libc().sysconf(name);
    if (!(value > 0)) throw new Error(`sysconf does not know ${what}`);
    return value;
  });

/** Bytes of a page of memory. */
export const pageSize = sysconf(SC_PAGESIZE, 'the size of a page');

/** Ticks of a second in the times of /proc/stat (proc(5)). */
export const clockTicks = sysconf(SC_CLK_TCK, 'the ticks of a second');

/** Ends the process at once, without waiting for its worker threads (_exit(2)). */
export const exitNow = (status: number): void => libc()._exit(status);

const UNCHANGED = 0xffffffff;

const ids = (call: (libc: Libc) => number, what: string): void => {
  const c = libc();
  if (call(c) !== 0) throw new Error(`${what} failed with errno ${c.errno()}`);
};

/**
 * setgroups(2), setresgid(2) and setresuid(2) of all threads; without `real` only the effective ids. Node disables its
 * own functions if io_uring may be in use (Debian 13), because pending requests there keep the rights of the former
 * user.
 */
export const setGroups = (groups: readonly number[]): void =>
  ids((c) => c.setgroups(groups.length, Uint32Array.from(groups)), 'setgroups');
export const setGid = (gid: number, real: boolean): void =>
  ids((c) => (real ? c.setresgid(gid, gid, gid) : c.setresgid(UNCHANGED, gid, UNCHANGED)), 'setresgid');
export const setUid = (uid: number, real: boolean): void =>
  ids((c) => (real ? c.setresuid(uid, uid, uid) : c.setresuid(UNCHANGED, uid, UNCHANGED)), 'setresuid');
