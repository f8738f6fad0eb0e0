import { readFileSync } from 'node:fs';

import { causeOf } from '../../model/reason.ts';

/** Folders of one control group, as far as the host has them. */
export interface ControlGroup {
  /** In the unified hierarchy (version 2): pressure, and with version 2 alone all other files. */
  readonly unified?: string;
  /** In the hierarchies of version 1, by controller. */
  readonly v1: ReadonlyMap<string, string>;
}

interface Mount {
  /** Path in the hierarchy that is mounted. */
  readonly root: string;
  readonly folder: string;
  readonly kind: 'cgroup' | 'cgroup2';
  readonly controllers: readonly string[];
}

// proc(5), /proc/PID/mountinfo: white space in a path is an octal escape.
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_escape, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Returns the mounts of control groups in a /proc/PID/mountinfo. */
export const mountsIn = (mountinfo: string): readonly Mount[] =>
  mountinfo.split('\n').flatMap((line): readonly Mount[] => {
    const [place = '', system = ''] = line.split(' - ', 2);
    const [, , , root = '', folder = ''] = place.split(' ');
    const [kind = '', , options = ''] = system.split(' ');
    if (kind !== 'cgroup' && kind !== 'cgroup2') return [];
    return [{ root: unescaped(root), folder: unescaped(folder), kind, controllers: options.split(',') }];
  });

// The groups that libvirt makes: `machine-qemu\x2d7\x2dname.scope` by systemd, else `qemu-7-name.libvirt-qemu`.
const machineOf = (id: number): RegExp => new RegExp(String.raw`^(?:machine-qemu\\x2d${id}\\x2d|qemu-${id}-)`);

/** Returns the path of a domain's group in that of one of its threads; undefined if libvirt has made none for it. */
export const machineIn = (path: string, id: number): string | undefined => {
  const parts = path.split('/');
  const at = parts.findIndex((part) => machineOf(id).test(part));
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/');
};

const folderIn = ({ root, folder }: Mount, path: string): string | undefined => {
  const top = root === '/' ? '' : root;
  return path === top || path.startsWith(`${top}/`) ? `${folder}${path.slice(top.length)}` : undefined;
};

/**
 * Finds the control group that libvirt has made for a run of a domain (its `id`), by the groups of its process, never
 * by its name: a tenant chooses that. Other groups hold other processes, too, whose figures are not the domain's.
 *
 * @returns the folders of the group, or the reason why there are none.
 */
export const controlGroupOf = (pid: string, id: number, proc = '/proc'): ControlGroup | string => {
  try {
    const mounts = mountsIn(readFileSync(`${proc}/self/mountinfo`, 'utf8'));
    const v1 = new Map<string, string>();
    let unified: string | undefined;
    for (const line of readFileSync(`${proc}/${pid}/cgroup`, 'utf8').split('\n')) {
      // cgroups(7): hierarchy number, controllers, path; the unified hierarchy has number 0 and no controllers.
      const [, hierarchy = '', controllers = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      const machine = machineIn(path, id);
      if (machine === undefined) continue;
      const kind = hierarchy === '0' ? 'cgroup2' : 'cgroup';
      for (const controller of controllers.split(',')) {
        const mount = mounts.find(
          (one) => one.kind === kind && (kind === 'cgroup2' || one.controllers.includes(controller)),
        );
        const folder = mount && folderIn(mount, machine);
        if (folder === undefined) continue;
        if (kind === 'cgroup2') unified = folder;
        else v1.set(controller, folder);
      }
    }
    if (unified === undefined && v1.size === 0) return 'libvirt has made no control group for the domain';
    return { v1, ...(unified === undefined ? {} : { unified }) };
  } catch (error) {
    return `its control groups cannot be read: ${causeOf(error)}`;
  }
};
