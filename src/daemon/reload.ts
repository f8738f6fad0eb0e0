import { concat, concatMap, defer, fromEvent, type Observable, of, throttleTime } from 'rxjs';

import type { Reload, Setup } from './events.ts';
import { loadActions } from './topology.ts';
import type { Log } from '../system/log.ts';
import { PartNotLoaded } from '../system/load-part.ts';
import { monotonicScheduler } from '../system/monotonic.ts';
import { loadSinks } from '../sinks/index.ts';
import { failure } from '../model/result.ts';
import type { Family } from '../model/metric-family.ts';
import type { PrometheusContext } from '../sinks/prometheus/sink.ts';
import { escapeForLog } from '../model/value.ts';
import { loadSetup } from './load-setup.ts';
import type { RunDisks } from './early-disks.ts';

// Milliseconds. In a storm of signals the first takes effect at once, the others together after this time.
const SIGNAL_PAUSE = 1000;

/** Loads the modules that any configuration may need, because an upgrade may replace our files later. */
export const loadRest = async (): Promise<unknown> => await Promise.all([loadActions(), loadSinks()]);

const usesActions = ({ config }: Setup): boolean => config.metrics.some(({ source }) => source.kind === 'action');

// Loads the modules of a configuration, so that a reload without descriptors or files is refused.
const loadAll = async (
  file: string,
  context: PrometheusContext,
  disks: RunDisks,
): Promise<Awaited<ReturnType<typeof loadSetup>>> => {
  try {
    const loaded = await loadSetup(file, context, disks.opened);
    if (loaded.ok && usesActions(loaded.value)) await loadActions();
    return loaded;
  } catch (error) {
    if (!(error instanceof PartNotLoaded)) throw error;
    const advice = /^E[MN]FILE/.test(error.message)
      ? 'raise LimitNOFILE of its service'
      : 'restart it after an upgrade';
    const reason = `A part of vhostmd cannot be loaded, ${advice}: ${escapeForLog(error.message)}`;
    return { ...failure([reason]), warnings: [] };
  }
};

/** Reads and checks a configuration and loads its modules. Logs its errors and warnings. */
export const load = async (
  file: string,
  telemetry: () => readonly Family[],
  disks: RunDisks,
  log: Log,
): Promise<Exclude<Reload, { kind: 'loading' }>> => {
  const context: PrometheusContext = {
    scheduler: monotonicScheduler,
    write: (line) => process.stdout.write(`${line}\n`),
    telemetry,
  };
  const loaded = await loadAll(file, context, disks);
  for (const line of loaded.warnings) log('warning', 'configuration', line);
  if (loaded.ok) {
    disks.sayHangs(loaded.value.config);
    return { kind: 'loaded', setup: loaded.value };
  }
  for (const line of loaded.error) log('err', 'configuration', line);
  return { kind: 'refused', reason: loaded.error[0] ?? 'it has mistakes' };
};

/** Emits at each signal of that name. */
export const signal$ = (signal: NodeJS.Signals): Observable<unknown> =>
  fromEvent(process, signal).pipe(throttleTime(SIGNAL_PAUSE, monotonicScheduler, { leading: true, trailing: true }));

/** Reads the configuration again at each SIGHUP. */
export const reload$ = (
  file: string,
  telemetry: () => readonly Family[],
  disks: RunDisks,
  log: Log,
): Observable<Reload> =>
  signal$('SIGHUP').pipe(
    concatMap(() =>
      concat(
        of<Reload>({ kind: 'loading' }),
        defer(() => load(file, telemetry, disks, log)),
      ),
    ),
  );

/** Setups that a reload puts into force: none unless it succeeded. */
export const setupOf = (reload: Reload): readonly Setup[] => (reload.kind === 'loaded' ? [reload.setup] : []);
