import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { cLibrary } from '../libc.ts';
import { once } from '../once.ts';

// Of <fcntl.h>, <spawn.h> and <sys/wait.h>, equal in glibc and musl.
const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const WNOHANG = 1;
// More than the bytes of sigset_t, posix_spawnattr_t and posix_spawn_file_actions_t.
const OPAQUE = 512;

type Call = (...args: readonly unknown[]) => number;

const calls = once(() => {
  const { koffi, self } = cLibrary();
  const call = (prototype: string): Call => self.func(prototype) as Call;
  const optional = (prototype: string): Call | undefined => {
    try {
      return call(prototype);
    } catch {
      return undefined;
    }
  };
  return {
    errno: () => koffi.errno(),
    pipe2: call('int pipe2(_Out_ int *fds, int flags)'),
    waitpid: call('int waitpid(int pid, _Out_ int *status, int options)'),
    attrInit: call('int posix_spawnattr_init(void *attr)'),
    attrSetFlags: call('int posix_spawnattr_setflags(void *attr, short flags)'),
    attrSetSigDefault: call('int posix_spawnattr_setsigdefault(void *attr, void *set)'),
    attrSetSigMask: call('int posix_spawnattr_setsigmask(void *attr, void *set)'),
    actionsInit: call('int posix_spawn_file_actions_init(void *actions)'),
    actionsDestroy: call('int posix_spawn_file_actions_destroy(void *actions)'),
    addOpen: call('int posix_spawn_file_actions_addopen(void *actions, int fd, str path, int flags, uint32_t mode)'),
    addDup2: call('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)'),
    // glibc has it since 2.29.
    addChdir: optional('int posix_spawn_file_actions_addchdir_np(void *actions, str path)'),
    posixSpawn: call('int posix_spawn(_Out_ int *pid, str path, void *actions, void *attr, str *argv, str *envp)'),
  };
});

// Throws an error with a code, as Node does.
const check = (name: string, errno: number): void => {
  if (errno === 0) return;
  const code = getSystemErrorName(-errno);
  throw Object.assign(new Error(`${name}: ${code}`), { code });
};

// A session of its own; no signal is ignored or blocked, whatever Node has set.
const attributes = once((): Buffer => {
  const { attrInit, attrSetFlags, attrSetSigDefault, attrSetSigMask } = calls();
  const attr = Buffer.alloc(OPAQUE);
  // sigfillset(3) omits signals of the C library, which the program would then ignore.
  const all = Buffer.alloc(OPAQUE, 0xff);
  check('posix_spawnattr_init', attrInit(attr));
  check('posix_spawnattr_setsigdefault', attrSetSigDefault(attr, all));
  check('posix_spawnattr_setsigmask', attrSetSigMask(attr, Buffer.alloc(OPAQUE)));
  const flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  check('posix_spawnattr_setflags', attrSetFlags(attr, flags));
  return attr;
});

interface Pipe {
  readonly read: number;
  readonly write: number;
}

const makePipe = (): Pipe => {
  const { pipe2, errno } = calls();
  const ends = [0, 0];
  if (pipe2(ends, O_CLOEXEC) !== 0) check('pipe2', errno());
  const [read = 0, write = 0] = ends;
  return { read, write };
};

/** A started shell: its pid, and the descriptors from which its output is read. */
export interface Spawned {
  readonly pid: number;
  readonly stdout: number;
  readonly stderr: number;
}

const spawn = (text: string, env: Readonly<Record<string, string>>, stdout: number, stderr: number): number => {
  const { actionsInit, actionsDestroy, addOpen, addDup2, addChdir, posixSpawn } = calls();
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  if ([text, ...variables].some((part) => part.includes('\0'))) throw new TypeError('a NUL byte would cut the command');
  const actions = Buffer.alloc(OPAQUE);
  const pid = [0];
  check('posix_spawn_file_actions_init', actionsInit(actions));
  try {
    check('posix_spawn_file_actions_addopen', addOpen(actions, 0, '/dev/null', O_RDONLY, 0));
    check('posix_spawn_file_actions_adddup2', addDup2(actions, stdout, 1));
    check('posix_spawn_file_actions_adddup2', addDup2(actions, stderr, 2));
    if (addChdir !== undefined) check('posix_spawn_file_actions_addchdir_np', addChdir(actions, '/'));
    const command = addChdir === undefined ? `cd /;${text}` : text;
    const argv = ['/bin/sh', '-c', command, null];
    check('posix_spawn', posixSpawn(pid, '/bin/sh', actions, attributes(), argv, [...variables, null]));
  } finally {
    actionsDestroy(actions);
  }
  return pid[0] ?? 0;
};

/**
 * Starts `/bin/sh -c` in a session of its own, in `/`, without input. Node would copy the page tables of this process
 * for each start (fork); posix_spawn(3) shares them until the shell has replaced the copy.
 *
 * @throws Error with the code of the call that failed.
 */
export const spawnShell = (text: string, env: Readonly<Record<string, string>>): Spawned => {
  const pipes: Pipe[] = [];
  try {
    const stdout = makePipe();
    pipes.push(stdout);
    const stderr = makePipe();
    pipes.push(stderr);
    return { pid: spawn(text, env, stdout.write, stderr.write), stdout: stdout.read, stderr: stderr.read };
  } catch (error) {
    for (const { read } of pipes) closeSync(read);
    throw error;
  } finally {
    for (const { write } of pipes) closeSync(write);
  }
};

/** How a process ended: its exit status, or the signal that ended it; neither if something else has taken both. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Takes the exit of a child process, if it has ended. */
export const takeExit = (pid: number): Exit | undefined => {
  const status = [0];
  const taken = calls().waitpid(pid, status, WNOHANG);
  if (taken === 0) return undefined;
  // A library in this process has waited for it, or a debugger: it will never be reported again.
  if (taken !== pid) return { code: null, signal: null };
  const [bits = 0] = status;
  const signal = bits & 0x7f;
  if (signal === 0) return { code: (bits >> 8) & 0xff, signal: null };
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return { code: null, signal: name ?? `signal ${signal}` };
};
