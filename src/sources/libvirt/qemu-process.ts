import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';

/** The process of a running domain. */
export interface QemuProcess {
  readonly pid: string;
  /** Returns the CPU time since its start, in ns with a resolution of 10 ms; undefined if it has ended. */
  readonly cpuTime: () => bigint | undefined;
  readonly close: () => void;
  /** Calls back once, when the process is closed. */
  readonly onClose: (callback: () => void) => void;
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
// proc(5), /proc/PID/stat: utime and stime are fields 14 and 15, in 1/100 s; the name, field 2, may be any text.
const AFTER_NAME = 2;
const UTIME = 14 - 1 - AFTER_NAME;
const TICK_NS = 10_000_000n;
const buffer = Buffer.alloc(1024);

/** Returns utime + stime of a /proc/PID/stat in ns. */
export const cpuTimeOf = (stat: string): bigint | undefined => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', UTIME + 2);
  const [utime, stime] = fields.slice(UTIME);
  return utime === undefined || stime === undefined || !/^\d+ \d+$/.test(`${utime} ${stime}`)
    ? undefined
    : (BigInt(utime) + BigInt(stime)) * TICK_NS;
};

const pidIn = (file: string): string | undefined => {
  const fd = openSync(file, FLAGS);
  try {
    return /^\d{1,10}$/.exec(buffer.toString('latin1', 0, readSync(fd, buffer, 0, 16, 0)).trim())?.[0];
  } finally {
    closeSync(fd);
  }
};

// A descriptor of /proc/PID/stat. Reads nothing after `close`, when the number may belong to another file.
const processOf = (pid: string, fd: number): QemuProcess => {
  const callbacks: (() => void)[] = [];
  let isOpen = true;
  return {
    pid,
    onClose: (callback) => void callbacks.push(callback),
    cpuTime: () => {
      if (!isOpen) return undefined;
      try {
        return cpuTimeOf(buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)));
      } catch {
        return undefined;
      }
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(fd);
      for (const callback of callbacks) callback();
    },
  };
};

const isQemuOf = (uuid: string, cmdline: string): boolean => {
  try {
    const words = readFileSync(cmdline, 'utf8').split('\0');
    return words[words.indexOf('-uuid') + 1] === uuid;
  } catch {
    return false;
  }
};

/**
 * Opens the process of a pid file if it is the QEMU of that UUID. The descriptor belongs to the process: after its end
 * nothing can be read, even if the pid is reused. Undefined if /proc does not show the process.
 */
export const openProcess = (pidFile: string, uuid: string, proc = '/proc'): QemuProcess | undefined => {
  try {
    const pid = pidIn(pidFile);
    if (pid === undefined) return undefined;
    const process = processOf(pid, openSync(`${proc}/${pid}/stat`, FLAGS));
    // If the process still runs now, the command line was its own.
    if (isQemuOf(uuid, `${proc}/${pid}/cmdline`) && process.cpuTime() !== undefined) return process;
    process.close();
  } catch {
    // The process has ended, or is hidden.
  }
  return undefined;
};
