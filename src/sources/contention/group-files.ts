import { readdirSync } from 'node:fs';

import type { ControlGroup } from './control-group.ts';
import { folderCount } from './folder-count.ts';

/** Kinds of files of a control group that the statistics come from. */
export type GroupFile =
  | 'cpu.stat'
  | 'memory.stat'
  | 'memory.numa_stat'
  | 'memory.events'
  | `${'cpu' | 'memory' | 'io'}.pressure`;

// libvirt limits each virtual CPU in a group of its own, which is below `libvirt` in version 2.
const aboveVcpus = (group: string): readonly string[] => [group, `${group}/libvirt`];
const vcpuFoldersIn = (group: string): readonly string[] =>
  aboveVcpus(group).flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => /^vcpu\d+$/.test(name))
        .map((name) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });

const NAMES_V1: Readonly<Partial<Record<GroupFile, readonly [controller: string, ...files: string[]]>>> = {
  'cpu.stat': ['cpu', 'cpu.stat'],
  'memory.stat': ['memory', 'memory.stat'],
  'memory.numa_stat': ['memory', 'memory.numa_stat'],
  'memory.events': ['memory', 'memory.failcnt', 'memory.oom_control'],
};

/** Returns the paths of the files of one kind, or the reason why the group has none. */
export const pathsOf = ({ unified, v1 }: ControlGroup, kind: GroupFile): readonly string[] | string => {
  const [controller = '', ...files] = NAMES_V1[kind] ?? [];
  const folder = v1.get(controller) ?? unified;
  if (folder === undefined) return 'this host has no unified hierarchy of control groups (cgroup v2)';
  const isV1 = v1.has(controller);
  const own = isV1 ? files.map((file) => `${folder}/${file}`) : [`${folder}/${kind}`];
  return kind === 'cpu.stat' ? [...own, ...vcpuFoldersIn(folder).map((vcpu) => `${vcpu}/cpu.stat`)] : own;
};

/** Returns a text that changes when a group of a virtual CPU is added or removed; undefined if that cannot be seen. */
export const vcpuGroupCount = ({ unified, v1 }: ControlGroup): string | undefined => {
  const [top, below] = aboveVcpus(v1.get('cpu') ?? unified ?? '').map(folderCount);
  return top === undefined ? undefined : `${top} ${below}`;
};
