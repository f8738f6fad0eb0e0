// The daemon's own modules with a period in milliseconds, and a further sink that counts.
// Arguments: configuration, URI, period, and `leak` to leak on purpose.
import { openSync } from 'node:fs';

import { concatMap, connect as sharing, filter, ignoreElements, merge, startWith, Subject, tap } from 'rxjs';

import '../../../src/cli/command-line.ts';
import '../../../src/cli/handlers/daemon.ts';
import { loadSetup } from '../../../src/daemon/load-setup.ts';
import { isOf, type Setup } from '../../../src/daemon/events.ts';
import { logEvents } from '../../../src/daemon/log-events.ts';
import { daemon$ } from '../../../src/daemon/topology.ts';
import type { Log } from '../../../src/system/log.ts';
import type { Snapshot } from '../../../src/model/metric.ts';
import { monotonicScheduler } from '../../../src/system/monotonic.ts';
import { keepDescriptorsFromChildren } from '../../../src/system/process/descriptors.ts';
import { exitWithoutChildren } from '../../../src/system/process/exit.ts';
import type { ConfiguredSink } from '../../../src/sinks/index.ts';
import type { PrometheusContext } from '../../../src/sinks/prometheus/sink.ts';
import { createStatusEndpoint } from '../../../src/daemon/status-endpoint.ts';

/** Orders to the daemon. */
export type Order =
  | { readonly kind: 'reload'; readonly file: string }
  /** `collect`: after a full garbage collection. */
  | { readonly kind: 'measure'; readonly collect: boolean }
  | { readonly kind: 'stop' };

/** Measurements from inside the process; memory in bytes. */
export interface Inside {
  readonly heap: number;
  readonly external: number;
  /** Number of resources that keep the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Messages of the daemon. */
export type Said =
  | { readonly kind: 'tick'; readonly ticks: number }
  /** The configuration of this file is in force: it has published. */
  | { readonly kind: 'leads'; readonly file: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'measured'; readonly inside: Inside };

const [first = '', connect = '', period = '', leak = ''] = process.argv.slice(2);
const TELL_EVERY = 5;
const LEAKED_PER_TICK = 1024;

const say = (said: Said): void => {
  if (process.connected) process.send?.(said);
};
const log: Log = (level, component, message) => {
  if (level === 'err') say({ kind: 'failed', message: `${component}: ${message}` });
};

const self = createStatusEndpoint(first, monotonicScheduler, log);

const leaked: number[][] = [];
let ticks = 0;
let leads = '';
// A snapshot's metrics identify its configuration.
const fileOf = new WeakMap<object, string>();

const count = ({ cause, metrics }: Snapshot): void => {
  const file = fileOf.get(metrics ?? []) ?? '';
  if (file !== leads) {
    leads = file;
    say({ kind: 'leads', file });
    if (leak !== '') openSync('/dev/null', 'r');
  }
  if (cause !== 'tick') return;
  ticks += 1;
  if (leak !== '') leaked.push(Array.from({ length: LEAKED_PER_TICK / 8 }, (_, index) => index));
  if (ticks % TELL_EVERY === 0) say({ kind: 'tick', ticks });
};

const counter: ConfiguredSink = {
  name: 'counter',
  key: 'counter',
  required: false,
  run: (snapshot$) => snapshot$.pipe(tap(count), ignoreElements()),
};

const load = async (file: string): Promise<Setup> => {
  const context: PrometheusContext = {
    scheduler: monotonicScheduler,
    write: () => undefined,
    telemetry: self.families,
  };
  const loaded = await loadSetup(file, context);
  if (!loaded.ok) throw new Error(loaded.error.join('\n'));
  const { config, sinks } = loaded.value;
  fileOf.set(config.metrics, file);
  return { config: { ...config, updatePeriod: Number(period) }, sinks: [...sinks, counter] };
};

const resources = (): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

const measure = (collect: boolean): Inside => {
  // Objects that one collection finalizes are garbage for the next.
  if (collect) for (let time = 0; time < 3; time += 1) globalThis.gc?.();
  const { heapUsed: heap, external } = process.memoryUsage();
  return { heap, external, resources: resources() };
};

// As the daemon does: Node would wait for its worker threads, one of which waits for libvirt's events.
const fail = (error: unknown): void => {
  say({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  exitWithoutChildren(1);
};
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
process.umask(0o022);
keepDescriptorsFromChildren();
const file$ = new Subject<string>();
const setup = await load(first);
const running = daemon$(file$.pipe(concatMap(load), startWith(setup)), {
  connect,
  scheduler: monotonicScheduler,
  watched: self.telemetry.watched,
})
  .pipe(
    tap(self.observe),
    sharing((event$) =>
      merge(event$.pipe(logEvents({ connect, log, scheduler: monotonicScheduler, file: first })), event$),
    ),
    filter(isOf('report')),
  )
  .subscribe(({ sink, report }) => {
    if (report.kind === 'failed') say({ kind: 'failed', message: `${sink.name}: ${report.message}` });
  });

const stop = (): void => {
  running.unsubscribe();
  exitWithoutChildren(0);
};

process.on('message', (order: Order) => {
  if (order.kind === 'reload') file$.next(order.file);
  else if (order.kind === 'measure') say({ kind: 'measured', inside: measure(order.collect) });
  else stop();
});
process.on('disconnect', stop);
