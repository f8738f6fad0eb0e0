import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Returns true if a process runs; a zombie does not. */
export const alive = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/**
 * Returns the pids of processes with a text in their environment or command line, whose parts end with NUL; no zombies.
 */
export const processesWith = (part: 'environ' | 'cmdline', text: string): readonly number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/${part}`, 'latin1').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);

/** Returns true if there is a process `sleep MARKER`. */
export const isSleeping = (marker: string): boolean => processesWith('cmdline', `sleep\0${marker}\0`).length > 0;

/** Returns the number of open descriptors of a process. */
export const descriptorsOf = (pid: number | undefined): number => readdirSync(`/proc/${pid}/fd`).length;

/** Returns the resident memory of a process, in MiB. */
export const memoryOf = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** Returns the TCP ports on which a process listens, by its sockets' inodes (proc(5), /proc/PID/net/tcp: state 0A). */
export const listeningPorts = (pid: number | undefined): readonly number[] => {
  const links = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.slice(1) ?? []));
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = '']) => state === '0A' && own.has(inode))
    .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16));
};
