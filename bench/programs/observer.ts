// Records the time of each start, stop and pause of a domain, by libvirt's events on its own connection, and on the
// disk. Arguments: the URI, the disk. Sends `Noted` messages, and `ready` once.
import { hrtime } from 'node:process';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { map, merge, switchMap } from 'rxjs';

import { connect$ } from '../../src/sources/libvirt/connection.ts';
import type { DomainChange } from '../../src/sources/libvirt/domain-changes.ts';
import type { LifecycleEvent } from '../../src/sources/libvirt/types.ts';
import { viewDisk } from '../disk-view.ts';

/** One observation; `at` is ms of the monotonic clock, which all processes share. */
export type Noted = {
  readonly by: 'libvirt' | 'disk';
  readonly kind: 'on' | 'off' | 'paused';
  readonly uuid: string;
  readonly at: number;
};

// Milliseconds between two looks at the disk: without a pause the loop would take a core from the daemon.
const LOOK_EVERY = 0.2;

const PAUSED = / uuid='([^']+)'>\s*<name>activity\.paused\.reason<\/name>\s*<value>user</g;

const now = (): number => Number(hrtime.bigint()) / 1e6;

const watchDisk = (disk: string, note: (noted: Noted) => void): void => {
  const { look } = viewDisk(disk);
  const never = new Int32Array(new SharedArrayBuffer(4));
  let on: ReadonlySet<string> = new Set();
  let paused: ReadonlySet<string> = new Set();
  for (;;) {
    const text = look();
    if (text === undefined) {
      Atomics.wait(never, 0, 0, LOOK_EVERY);
      continue;
    }
    const at = now();
    const found = (pattern: RegExp): ReadonlySet<string> =>
      new Set(Array.from(text.matchAll(pattern), ([, uuid = '']) => uuid));
    const uuids = found(/ uuid='([^']+)'/g);
    const pausedNow = found(PAUSED);
    for (const uuid of uuids) if (!on.has(uuid)) note({ by: 'disk', kind: 'on', uuid, at });
    for (const uuid of pausedNow) if (!paused.has(uuid)) note({ by: 'disk', kind: 'paused', uuid, at });
    for (const uuid of on) if (!uuids.has(uuid)) note({ by: 'disk', kind: 'off', uuid, at });
    on = uuids;
    paused = pausedNow;
  }
};

const notedEvent = (event: LifecycleEvent): Noted | undefined => {
  const at = now();
  if (event.kind === 'running') return { by: 'libvirt', kind: 'on', uuid: event.domain.uuid, at };
  return event.kind === 'gone' ? { by: 'libvirt', kind: 'off', uuid: event.uuid, at } : undefined;
};

const notedChange = ({ kind, uuid }: DomainChange): Noted | undefined =>
  kind === 'paused' ? { by: 'libvirt', kind, uuid, at: now() } : undefined;

if (isMainThread) {
  const [uri = '', disk = ''] = process.argv.slice(2);
  const worker = new Worker(new URL(import.meta.url), { workerData: disk });
  worker.on('message', (noted) => process.send?.(noted));
  connect$(uri)
    .pipe(
      switchMap(({ lifecycle$, change$, domains$ }) =>
        merge(lifecycle$.pipe(map(notedEvent)), change$.pipe(map(notedChange)), domains$().pipe(map(() => 'ready'))),
      ),
    )
    .subscribe((message) => message !== undefined && process.send?.(message));
} else watchDisk(String(workerData), (noted) => parentPort?.postMessage(noted));
