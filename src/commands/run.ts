import {
  debounceTime,
  EMPTY,
  fromEvent,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  startWith,
  take,
} from 'rxjs';

import { daemon$, type DaemonReport, type Setup } from '../daemon.ts';
import { createLog, type Log } from '../log.ts';
import { monotonicScheduler } from '../monotonic.ts';
import { isBackground, reportReady, startInBackground } from '../process/background.ts';
import { exitWithoutChildren } from '../process/exit.ts';
import { claimPidFile, DEFAULT_PID_FILE } from '../process/pid-file.ts';
import { dropPrivileges } from '../process/privileges.ts';
import { loadSetup } from './config.ts';

// A storm of SIGHUPs is one reload.
const RELOAD_QUIET = 100;

export interface RunOptions {
  readonly config: string;
  readonly connect?: string;
  readonly verbose: boolean;
  readonly foreground: boolean;
  readonly user?: string;
  readonly pidFile?: string;
}

const load = (file: string, log: Log): Setup | undefined => {
  const loaded = loadSetup(file, { scheduler: monotonicScheduler, write: (line) => process.stdout.write(`${line}\n`) });
  for (const line of loaded.warnings) log('warning', 'configuration', line);
  if (loaded.ok) return loaded.setup;
  for (const line of loaded.errors) log('err', 'configuration', line);
  return undefined;
};

const reload$ = (file: string, log: Log): Observable<Setup> =>
  fromEvent(process, 'SIGHUP').pipe(
    debounceTime(RELOAD_QUIET, monotonicScheduler),
    mergeMap(() => {
      const setup = load(file, log);
      if (setup === undefined) {
        log('err', 'configuration', 'Not reloaded: the former configuration stays in force');
        return EMPTY;
      }
      log('notice', 'configuration', `Reloading ${file}`);
      return of(setup);
    }),
  );

const sayReport = (log: Log, { sink, report }: DaemonReport): void => {
  switch (report.kind) {
    case 'opened':
      return log('info', sink.name, report.message);
    case 'written':
      return log(
        'debug',
        sink.name,
        `${report.message}, in ${(monotonicScheduler.now() - report.snapshot.at).toFixed(1)} ms`,
      );
    case 'warning':
      return log('warning', sink.name, report.message);
    case 'failed':
      return log('err', sink.name, report.message);
  }
};

/** Runs the daemon in this process until a signal ends it. */
const runHere = (options: RunOptions, background: boolean): void => {
  const log = createLog({ verbose: options.verbose, background });
  // Whoever reads the output may go away; that is no reason to stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  let releasePidFile = (): void => undefined;
  const stop = (code: number): void => {
    releasePidFile();
    exitWithoutChildren(code);
  };
  const fail = (error: unknown): void => {
    log(
      'err',
      'daemon',
      `Stopped by a bug, please report it: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    stop(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  const setup = load(options.config, log);
  if (setup === undefined) return stop(2);
  try {
    process.umask(0o022);
    const pidFile = options.pidFile ?? (background ? DEFAULT_PID_FILE : undefined);
    if (pidFile !== undefined) releasePidFile = claimPidFile(pidFile);
    if (options.user !== undefined) dropPrivileges(options.user);
  } catch (error) {
    log('err', 'daemon', error instanceof Error ? error.message : String(error));
    return stop(1);
  }

  let ready = false;
  const running = daemon$(reload$(options.config, log).pipe(startWith(setup)), {
    ...(options.connect === undefined ? {} : { connect: options.connect }),
    scheduler: monotonicScheduler,
    log,
  }).subscribe({
    next: (said) => {
      sayReport(log, said);
      const { sink, report } = said;
      if (ready) return;
      if (report.kind === 'failed' && report.stage === 'open' && sink.required) {
        running.unsubscribe();
        stop(1);
      } else if (report.kind === 'written') {
        ready = true;
        log('notice', 'daemon', `Ready: the first snapshot is published by the ${sink.name}`);
        if (background) reportReady();
      }
    },
    error: fail,
  });
  merge(...(['SIGTERM', 'SIGINT'] as const).map((signal) => fromEvent(process, signal).pipe(map(() => signal))))
    .pipe(take(1))
    .subscribe((signal) => {
      log('notice', 'daemon', `Stopping (${signal})`);
      running.unsubscribe();
      stop(0);
    });
};

/** `vhostmd`: the daemon, in the background unless told otherwise. Returns an exit status, or never. */
export const run = async (options: RunOptions, args: readonly string[]): Promise<number | undefined> => {
  const background = isBackground();
  if (!options.foreground && !background) return await startInBackground(args);
  runHere(options, background);
  return undefined;
};
