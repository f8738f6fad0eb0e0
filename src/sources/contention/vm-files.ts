import type { SchedulerLike } from 'rxjs';

import { causeOf } from '../../model/reason.ts';
import { probeDescriptors, SPARE_DESCRIPTORS } from '../../system/process/descriptors.ts';
import type { QemuProcess } from '../libvirt/qemu-process.ts';
import { type ControlGroup, controlGroupOf } from './control-group.ts';
import { type GroupFile, pathsOf } from './group-files.ts';
import { type KernelFile, openKernelFile } from './kernel-file.ts';
import { remoteMemory } from './numa.ts';
import type { Reader } from './readers.ts';
import { type ThreadDelays, threadDelays } from './thread-delays.ts';

// Milliseconds between two looks for new threads and groups of virtual CPUs.
const LIST_PERIOD = 60_000;
// Milliseconds that memory.stat may be old while nothing waits for memory: the kernel adds it up anew for each read,
// which takes longer than all other files together.
const CALM = 60_000;

/** What a place holds now; a reason if the host does not have it; undefined if the domain has ended. */
export type Content = readonly string[] | ThreadDelays | number | { readonly reason: string } | undefined;

/** The files about one run of a domain, each opened when it is first read. */
export interface VmFiles {
  readonly read: (place: Reader['from']) => Content;
  readonly close: () => void;
}

interface Place {
  readonly read: () => readonly string[] | ThreadDelays | number | undefined;
  readonly close: () => void;
}

const filesAt = (paths: readonly string[]): Place => {
  const files: KernelFile[] = [];
  const close = (): void => files.forEach((file) => file.close());
  try {
    for (const path of paths) files.push(openKernelFile(path));
  } catch (error) {
    close();
    throw error;
  }
  return {
    read: () => {
      const texts = files.map((file) => file.read());
      return texts.every((text) => text !== undefined) ? texts : undefined;
    },
    close,
  };
};

// The text of memory.pressure from its total on, without averages, which fall by themselves.
const stallsIn = (content: Content): string | undefined => {
  if (!Array.isArray(content)) return undefined;
  const [text = ''] = content as readonly string[];
  const at = text.indexOf('total=');
  return at < 0 ? undefined : text.slice(at, text.indexOf('\n', at));
};

/** `id`: libvirt's number of the run. */
export const vmFiles = (process: QemuProcess, id: number, scheduler: SchedulerLike, proc = '/proc'): VmFiles => {
  const { pid } = process;
  const places = new Map<Reader['from'], Place | { readonly reason: string }>();
  // Keeps its sums, so it stays when the others are opened again.
  const delays = threadDelays(pid, proc);
  const start = scheduler.now();
  let group: ControlGroup | string | undefined;
  let listAt = scheduler.now() + LIST_PERIOD;

  const groupFiles = (kind: GroupFile): Place | { readonly reason: string } => {
    group ??= controlGroupOf(pid, id, proc);
    const paths = typeof group === 'string' ? group : pathsOf(group, kind);
    return typeof paths === 'string' ? { reason: paths } : filesAt(paths);
  };
  // Memory moves slowly, so its place is looked up when the files are opened again, once a minute.
  const numa = (): Place | { readonly reason: string } => {
    const found = groupFiles('memory.numa_stat');
    if ('reason' in found) return found;
    const texts = found.read();
    found.close();
    const share = remoteMemory(
      Array.isArray(texts) ? texts.join('') : '',
      pid,
      proc,
      `${proc}/../sys/devices/system/node`,
    );
    return typeof share === 'string' ? { reason: share } : { read: () => share, close: () => undefined };
  };
  const opened = (place: Reader['from']): Place | { readonly reason: string } => {
    if (place === 'clock') return { read: () => Math.round((scheduler.now() - start) * 1e6), close: () => undefined };
    if (place === 'numa') return numa();
    if (place === 'status') return filesAt([`${proc}/${pid}/status`]);
    if (place !== 'threads') return groupFiles(place);
    delays.list();
    return { read: delays.read, close: () => undefined };
  };
  const open = (place: Reader['from']): Place | { readonly reason: string } | undefined => {
    try {
      probeDescriptors(SPARE_DESCRIPTORS);
      const found = opened(place);
      // The pid was that of the process also while the files were opened: it still runs.
      if (process.cpuTime() !== undefined) return found;
      if ('close' in found) found.close();
      delays.close();
      return undefined;
    } catch (error) {
      if (process.cpuTime() === undefined) return undefined;
      return { reason: `its file of the kernel cannot be opened: ${causeOf(error)}` };
    }
  };
  /** What memory.stat was when it was last read, and the stalls of its memory until then. */
  let calm: { readonly content: Content; readonly stalls: string; readonly until: number } | undefined;

  const forget = (place: Reader['from']): void => {
    const known = places.get(place);
    if (known !== undefined && 'close' in known) known.close();
    places.delete(place);
  };

  const readPlace = (place: Reader['from']): Content => {
    const known = places.get(place) ?? open(place);
    if (known === undefined) return undefined;
    places.set(place, known);
    if ('reason' in known) return known;
    const content = known.read();
    // The domain ends, or a virtual CPU has gone with its files.
    if (content === undefined) forget(place);
    return content;
  };
  // Pages that come back are waited for, so without new stalls there are hardly any.
  const memoryStat = (): Content => {
    const stalls = stallsIn(readPlace('memory.pressure'));
    if (stalls === undefined) return readPlace('memory.stat');
    if (calm?.stalls === stalls && scheduler.now() < calm.until) return calm.content;
    const content = readPlace('memory.stat');
    calm = { content, stalls, until: scheduler.now() + CALM };
    return content;
  };

  return {
    read: (place) => {
      if (scheduler.now() >= listAt) {
        listAt = scheduler.now() + LIST_PERIOD;
        group = undefined;
        for (const known of places.keys()) forget(known);
      }
      return place === 'memory.stat' ? memoryStat() : readPlace(place);
    },
    close: () => {
      for (const place of places.keys()) forget(place);
      delays.close();
    },
  };
};
