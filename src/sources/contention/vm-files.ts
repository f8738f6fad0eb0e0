import { causeOf } from '../../model/reason.ts';
import type { QemuProcess } from '../libvirt/qemu-process.ts';
import { CALM_FILES, calmFiles } from './calm-files.ts';
import { type ControlGroup, controlGroupOf } from './control-group.ts';
import { type GroupFile, pathsOf, vcpuGroupCount } from './group-files.ts';
import { type KernelFile, openKernelFile } from './kernel-file.ts';
import { remoteMemory } from './numa.ts';
import { type Content, filesAt, type Missing, type Place } from './place.ts';
import type { Reader } from './readers.ts';
import { threadDelays } from './thread-delays.ts';
import type { VmHost } from './vm-host.ts';

// Milliseconds between two looks for new threads, groups of virtual CPUs, and files that were missing.
const LOOK_PERIOD = 60_000;
// The fraction of the golden ratio spreads the looks over that time, whatever the distance between the pids.
const SPREAD = 0.618_033_988_75;

/** What is read: a place of statistics, or `unswapped`, that of swapped memory while the host has no swap in use. */
export type Source = Reader['from'] | 'unswapped';

const needsPressure = (source: Source): boolean => source === 'memory.pressure' || CALM_FILES.has(source);

const UNSWAPPED: Content = ['VmSwap: 0 kB\n'];

/** The files about one run of a domain, each opened when it is first read. */
export interface VmFiles {
  /** Reads the sources in their order. A content is the same object as before if nothing has changed. */
  readonly read: (sources: readonly Source[]) => readonly Content[];
  readonly close: () => void;
}

/** `id`: libvirt's number of the run. */
export const vmFiles = (process: QemuProcess, id: number, host: VmHost): VmFiles => {
  const { pid } = process;
  const { proc, scheduler, descriptors } = host;
  const places = new Map<Source, Place | Missing>();
  // Keeps what each thread has waited, so it stays until the end.
  const delays = threadDelays(pid, proc, descriptors);
  const start = scheduler.now();
  let group: ControlGroup | string | undefined;
  /** /proc/PID/cgroup, and its text when the group was found: libvirt moves a process there after its start. */
  let memberships: KernelFile | undefined;
  let membership: string | undefined;
  let vcpuGroups: string | undefined;
  let lookAt = start + ((Number(pid) * SPREAD) % 1) * LOOK_PERIOD;

  const membershipNow = (): string | undefined => {
    if (memberships === undefined) {
      descriptors.take(1);
      memberships = openKernelFile(`${proc}/${pid}/cgroup`);
    }
    return memberships.read();
  };
  const groupPaths = (kind: GroupFile): readonly string[] | string => {
    if (group === undefined) {
      membership = membershipNow();
      group = controlGroupOf(pid, id, proc);
    }
    return typeof group === 'string' ? group : pathsOf(group, kind);
  };
  const vcpuGroupsNow = (): string | undefined => (typeof group === 'object' ? vcpuGroupCount(group) : '');
  const groupFiles = (kind: GroupFile): Place | Missing => {
    const paths = groupPaths(kind);
    if (kind === 'cpu.stat') vcpuGroups = vcpuGroupsNow();
    return typeof paths === 'string' ? { reason: paths } : filesAt(paths, descriptors);
  };
  // Memory moves slowly, so its place is looked up once a minute.
  const numa = (): Place | Missing => {
    const nodes = host.nodes();
    if (nodes.size < 2) return { reason: 'the host has one NUMA node' };
    const found = groupFiles('memory.numa_stat');
    if ('reason' in found) return found;
    const texts = found.read();
    found.close();
    const share = remoteMemory(Array.isArray(texts) ? texts.join('') : '', pid, proc, nodes);
    return typeof share === 'string' ? { reason: share } : { read: () => share, close: () => undefined };
  };
  const opened = (source: Source): Place | Missing => {
    if (source === 'clock') return { read: () => Math.round((scheduler.now() - start) * 1e6), close: () => undefined };
    if (source === 'unswapped') return { read: () => UNSWAPPED, close: () => undefined };
    if (source === 'numa') return numa();
    if (source === 'status') return filesAt([`${proc}/${pid}/status`], descriptors);
    if (source !== 'threads') return groupFiles(source);
    delays.list();
    return { read: delays.read, close: () => undefined };
  };
  const forget = (source: Source): void => {
    const known = places.get(source);
    if (known !== undefined && 'close' in known) known.close();
    places.delete(source);
  };
  const close = (): void => {
    for (const source of places.keys()) forget(source);
    delays.close();
    memberships?.close();
    memberships = undefined;
  };
  const open = (source: Source): Place | Missing | undefined => {
    let found: Place | Missing;
    try {
      found = opened(source);
    } catch (error) {
      found = { reason: `its file of the kernel cannot be opened: ${causeOf(error)}` };
    }
    places.set(source, found);
    // The pid was that of the process also while the files were opened: it still runs.
    if (process.cpuTime() !== undefined) return found;
    close();
    return undefined;
  };

  const isOfGroup = (source: Source): boolean =>
    source !== 'clock' && source !== 'unswapped' && source !== 'status' && source !== 'threads';
  // Opens again only what has moved: opening takes ten times as long as reading.
  const lookForMore = (): void => {
    if (typeof group === 'string' || (group !== undefined && membership !== membershipNow())) {
      group = undefined;
      for (const source of places.keys()) if (isOfGroup(source)) forget(source);
    }
    if (places.has('cpu.stat')) {
      const now = vcpuGroupsNow();
      if (now === undefined || now !== vcpuGroups) forget('cpu.stat');
    }
    if (places.has('threads')) delays.list();
  };
  const look = (): void => {
    for (const [source, known] of places) if ('reason' in known || source === 'numa') forget(source);
    try {
      lookForMore();
    } catch {
      // Too few descriptors for new threads, which is the reason of all until the next look.
      forget('threads');
    }
    // What was opened may be that of another process that has got the pid.
    if (process.cpuTime() === undefined) close();
  };

  const readPlace = (source: Source): Content => {
    const known = places.get(source) ?? open(source);
    if (known === undefined) return undefined;
    if ('reason' in known) return known;
    const content = known.read();
    // The domain ends, or a virtual CPU has gone with its files.
    if (content === undefined) forget(source);
    return content;
  };
  const calm = calmFiles(readPlace);

  return {
    read: (sources) => {
      if (scheduler.now() >= lookAt) {
        lookAt = scheduler.now() + LOOK_PERIOD;
        calm.forget();
        look();
      }
      // Once for itself and for the files that depend on it.
      const pressure = sources.some(needsPressure) ? readPlace('memory.pressure') : undefined;
      const contents: Content[] = [];
      for (const source of sources) {
        if (source === 'memory.pressure') contents.push(pressure);
        else contents.push(CALM_FILES.has(source) ? calm.read(source, pressure) : readPlace(source));
      }
      return contents;
    },
    close,
  };
};
