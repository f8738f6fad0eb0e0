import path from 'node:path';

import {
  concatMap,
  EMPTY,
  fromEvent,
  mergeMap,
  type Observable,
  of,
  startWith,
  type Subscription,
  throttleTime,
} from 'rxjs';

import { daemon$, type DaemonReport, loadActions, type Setup } from '../daemon.ts';
import { createLog, type Log } from '../log.ts';
import { monotonicScheduler } from '../monotonic.ts';
import { reportReady } from '../process/background.ts';
import { keepDescriptorsFromChildren } from '../process/descriptors.ts';
import { exitWithoutChildren } from '../process/exit.ts';
import { claimPidFile, DEFAULT_PID_FILE } from '../process/pid-file.ts';
import { dropPrivileges, ownerOf } from '../process/privileges.ts';
import { reasonOf } from '../reason.ts';
import type { PrometheusContext } from '../sinks/prometheus/sink.ts';
import { createSelf, type Self } from '../status/self.ts';
import { loadSetup } from './config.ts';

// Of a storm of SIGHUPs the first is obeyed at once, the others together after this time, in milliseconds.
const RELOAD_PAUSE = 1000;

export interface RunOptions {
  readonly config: string;
  readonly connect?: string;
  readonly verbose: boolean;
  readonly foreground: boolean;
  readonly user?: string;
  readonly pidFile?: string;
}

const load = async (file: string, self: Self, log: Log): Promise<Setup | undefined> => {
  const context: PrometheusContext = {
    scheduler: monotonicScheduler,
    write: (line) => process.stdout.write(`${line}\n`),
    figures: self.families,
  };
  const loaded = await loadSetup(file, context);
  self.loaded(loaded.ok ? undefined : loaded.errors[0]);
  for (const line of loaded.warnings) log('warning', 'configuration', line);
  if (loaded.ok) return loaded.setup;
  for (const line of loaded.errors) log('err', 'configuration', line);
  return undefined;
};

const reload$ = (file: string, self: Self, log: Log): Observable<Setup> =>
  fromEvent(process, 'SIGHUP').pipe(
    throttleTime(RELOAD_PAUSE, monotonicScheduler, { leading: true, trailing: true }),
    concatMap(async () => await load(file, self, log)),
    mergeMap((setup) => {
      if (setup === undefined) {
        log('err', 'configuration', 'Not reloaded: the former configuration stays in force');
        return EMPTY;
      }
      log('notice', 'configuration', `Reloading ${file}`);
      return of(setup);
    }),
  );

const LEVELS = { opened: 'info', written: 'debug', warning: 'warning', failed: 'err' } as const;

const sayReport = (log: Log, { sink, report }: DaemonReport): void => {
  const took = report.kind === 'written' ? `, ${(monotonicScheduler.now() - report.snapshot.at).toFixed(1)} ms` : '';
  log(LEVELS[report.kind], sink.name, `${report.message}${took}`);
};

/** Runs the daemon in this process until a signal ends it. */
export const run = async (options: RunOptions, background: boolean): Promise<void> => {
  const log = createLog({ verbose: options.verbose, background });
  let running: Subscription | undefined;
  let serving: Subscription | undefined;
  let releasePidFile = (): void => undefined;
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    running?.unsubscribe();
    serving?.unsubscribe();
    releasePidFile();
    exitWithoutChildren(code);
  };
  const fail = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const line of `Stopped by a bug, please report it: ${text}`.split('\n')) log('err', 'daemon', line);
    stop(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stopping) log('notice', 'daemon', `Stopping (${signal})`);
      stop(0);
    });
  }
  // Until the reload listens: what comes while this function runs is delivered after it.
  process.on('SIGHUP', () => undefined);

  const config = path.resolve(options.config);
  const self = createSelf(config, monotonicScheduler, log);
  const setup = await load(config, self, log);
  if (stopping) return;
  if (setup === undefined) return stop(2);
  try {
    // Another user may not be able to read our files.
    if (options.user !== undefined) await loadActions();
    process.umask(0o022);
    keepDescriptorsFromChildren();
    const pidFile = options.pidFile ?? (background ? DEFAULT_PID_FILE : undefined);
    if (pidFile !== undefined) releasePidFile = claimPidFile(path.resolve(pidFile));
    self.prepare(options.user === undefined ? undefined : ownerOf(options.user));
    if (options.user !== undefined) dropPrivileges(options.user);
    if (background) process.chdir('/');
  } catch (error) {
    log('err', 'daemon', reasonOf(error));
    return stop(1);
  }

  serving = self.serve();
  const waitFor = new Set(setup.sinks.filter(({ required }) => required).map(({ key }) => key));
  let ready = false;
  const said = (of: DaemonReport): void => {
    const { sink, report } = of;
    sayReport(log, of);
    if (ready) return;
    if (report.kind === 'failed' && report.stage === 'open' && sink.required) return stop(1);
    if (report.kind !== 'written') return;
    waitFor.delete(sink.key);
    if (waitFor.size > 0) return;
    ready = true;
    log('notice', 'daemon', 'Ready: the first snapshot is published');
    if (background) reportReady();
  };
  const reports$ = daemon$(reload$(config, self, log).pipe(startWith(setup)), {
    ...(options.connect === undefined ? {} : { connect: options.connect }),
    scheduler: monotonicScheduler,
    log,
    figures: self.figures,
  });
  running = reports$.subscribe({ next: said, error: fail });
};
