import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Measurements of a process from outside; memory in MiB. */
export interface Outside {
  readonly rss: number;
  readonly anonymous: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Child processes, with those that it has not waited for. */
  readonly children: number;
}

const childrenOf = (parent: number): number =>
  readdirSync('/proc').filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'latin1');
      // The name may contain spaces and brackets; the state and the parent follow.
      return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    } catch {
      return false;
    }
  }).length;

export const outsideOf = (pid: number): Outside => {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1]);
  return {
    rss: field('VmRSS') / 1024,
    anonymous: field('RssAnon') / 1024,
    threads: field('Threads'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    children: childrenOf(pid),
  };
};

/** Returns the open descriptors by kind, for the message about a leak. */
export const descriptorKinds = (pid: number): string => {
  const counts = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${fd}`)
        .replace(/:\[\d+\]$/, '')
        .replace(/[-\da-f]{36}/, 'UUID');
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    } catch {
      // Closed meanwhile.
    }
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
};
