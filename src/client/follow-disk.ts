import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { concatMap, scan, timer, type Observable, type SchedulerLike } from 'rxjs';

import { dropCache } from '../system/libc.ts';
import { causeOf, reasonOf } from '../model/reason.ts';
import { HEADER_SIZE } from '../sinks/metrics-disk/format.ts';
import { lookAtDisk, type Look } from './read-disk.ts';
import { parseDocument, type Metrics } from './watch-document.ts';

/** Names of domains by UUID. */
export type Names = ReadonlyMap<string, string>;

/** A change of a metrics disk, or of what the daemon sends. */
export type DiskEvent =
  | {
      readonly kind: 'document';
      readonly metrics: Metrics;
      /** Best-known write time, in milliseconds of the scheduler's clock. */
      readonly at: number;
      /** True if `at` is exact, false if it is an upper bound. */
      readonly isExact: boolean;
      /** Absent for a metrics disk, which does not have them. */
      readonly names?: Names;
    }
  /** The disk was written or touched again without a change. */
  | { readonly kind: 'alive'; readonly at: number }
  | { readonly kind: 'trouble'; readonly message: string };

/** Header of a disk. `key`: identity of file and header; `written`: file time and age in ms, absent for devices. */
export type Peek =
  | { readonly ok: true; readonly key: string; readonly written?: { readonly mtime: number; readonly age: number } }
  | { readonly ok: false; readonly message: string };

export interface DiskReader {
  readonly peek: () => Peek;
  readonly look: () => Look;
}

/** Reads a metrics disk: a file, or in a guest the block device. */
export const diskReader = (path: string): DiskReader => ({
  look: () => lookAtDisk(path),
  peek: () => {
    let fd: number | undefined;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = fstatSync(fd);
      const header = Buffer.alloc(HEADER_SIZE);
      if (stats.isBlockDevice()) dropCache(fd);
      if (stats.isFile() || stats.isBlockDevice()) readSync(fd, header, 0, HEADER_SIZE, 0);
      const key = `${stats.dev}:${stats.ino}:${header.toString('latin1')}`;
      const mtime = stats.mtimeMs;
      return { ok: true, key, ...(stats.isFile() ? { written: { mtime, age: Date.now() - mtime } } : {}) };
    } catch (error) {
      return { ok: false, message: `${path} cannot be read: ${causeOf(error)}` };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  },
});

/** Consecutive reads that may find the disk busy or damaged, as during an update, before that is reported. */
const PATIENCE = 5;
/** Milliseconds by which the file system's clock may be ahead. */
const BLUR = 100;
/** Milliseconds between two reads after which the time of a write in between is unknown. */
const ASLEEP = 1000;

interface Memory {
  /** Key of the last document, readable or not. */
  readonly key?: string;
  /** Write time of that document. */
  readonly written: number;
  /** Modification time of the file then. */
  readonly mtime?: number;
  readonly looked?: number;
  readonly failed: number;
  /** True after a failure that may pass without a change of the header. */
  readonly again: boolean;
  readonly trouble?: string;
}

interface Step {
  readonly memory: Memory;
  readonly events: readonly DiskEvent[];
}

const troubled = (memory: Memory, message: string): Step => ({
  memory: { ...memory, again: true, trouble: message },
  events: message === memory.trouble ? [] : [{ kind: 'trouble', message }],
});

const read = (memory: Memory, found: Look, key: string, now: number, at: number | undefined): Step => {
  if (found.kind === 'never') return troubled(memory, found.message);
  if (found.kind !== 'content') {
    const failed = { ...memory, failed: memory.failed + 1, again: true };
    return failed.failed < PATIENCE ? { memory: failed, events: [] } : troubled(failed, found.message);
  }
  const written = at ?? (key === memory.key ? memory.written : now);
  const { trouble: _over, ...rest } = memory;
  const fresh: Memory = { ...rest, key, written, failed: 0, again: false };
  try {
    const metrics = parseDocument(found.content.toString('utf8'));
    const isExact = at !== undefined || (memory.looked !== undefined && now - memory.looked < ASLEEP);
    return { memory: fresh, events: [{ kind: 'document', metrics, at: written, isExact }] };
  } catch (error) {
    const step = troubled(
      { ...fresh, ...(memory.trouble === undefined ? {} : { trouble: memory.trouble }) },
      `The disk holds no well-formed document: ${reasonOf(error)}`,
    );
    return { ...step, memory: { ...step.memory, again: false } };
  }
};

// A new write cannot be older than the last look, even if the wall clock has jumped.
const writtenAt = ({ looked, mtime }: Memory, { written }: Peek & { ok: true }, now: number): number | undefined => {
  if (written === undefined || written.age < -BLUR) return undefined;
  const since = looked === undefined || mtime === written.mtime ? Number.NEGATIVE_INFINITY : looked;
  return Math.min(now, Math.max(since, now - written.age));
};

const look = (memory: Memory, reader: DiskReader, now: number): Step => {
  const peek = reader.peek();
  if (!peek.ok) return troubled({ ...memory, failed: 0 }, peek.message);
  const mtime = peek.written?.mtime;
  const at = writtenAt(memory, peek, now);
  const touched = mtime === undefined ? memory : { ...memory, mtime };
  if (peek.key !== memory.key || memory.again) return read(touched, reader.look(), peek.key, now, at);
  if (mtime === memory.mtime) return { memory, events: [] };
  const alive = at ?? now;
  return { memory: { ...touched, written: alive }, events: [{ kind: 'alive', at: alive }] };
};

/**
 * Follows a metrics disk: checks its header every `poll` milliseconds and reads the document if that has changed.
 * Reports a failure once, and emits the document again after it. Never errors.
 */
export const disk$ = (reader: DiskReader, poll: number, scheduler: SchedulerLike): Observable<DiskEvent> =>
  timer(0, poll, scheduler).pipe(
    scan(
      ({ memory }: Step): Step => {
        const now = scheduler.now();
        const step = look(memory, reader, now);
        return { ...step, memory: { ...step.memory, looked: now } };
      },
      { memory: { written: Number.NEGATIVE_INFINITY, failed: 0, again: true }, events: [] },
    ),
    concatMap(({ events }) => events),
  );
