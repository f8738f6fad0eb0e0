import path from 'node:path';

import { connect, ignoreElements, map, merge, mergeMap, startWith, type Subscription, tap } from 'rxjs';

import type { DaemonEvent } from '../../daemon/events.ts';
import { logEvents } from '../../daemon/log-events.ts';
import { type Started, started } from '../../daemon/readiness.ts';
import { daemon$ } from '../../daemon/topology.ts';
import { bridge } from '../../system/libc.ts';
import { createLog, type Log } from '../../system/log.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { notifications, type Notifications } from '../../system/systemd.ts';
import { reportReady } from '../../system/process/background.ts';
import { PartNotLoaded } from '../../system/load-part.ts';
import { keepDescriptorsFromChildren } from '../../system/process/descriptors.ts';
import { exitWithoutChildren } from '../../system/process/exit.ts';

import { sourceStack } from '../../system/source-stack.ts';
import { claimPidFile, DEFAULT_PID_FILE } from '../../system/process/pid-file.ts';
import { dropPrivileges, isRoot, mayBecome, ownerOf } from '../../system/process/privileges.ts';
import { STOP_SIGNALS } from '../../system/process/signals.ts';
import { settleV8 } from '../../system/process/v8.ts';
import { reasonOf } from '../../model/reason.ts';
import { type ServiceNotification, service$ } from '../../daemon/service-manager.ts';
import { moduleOf } from '../../sinks/modules/load.ts';
import { createStatusEndpoint } from '../../daemon/status-endpoint.ts';
import { escapeForLog } from '../../model/value.ts';
import { load, loadRest, reload$, setupOf, signal$ } from '../../daemon/reload.ts';
import { runDisks } from '../../daemon/early-disks.ts';

// Distinct errors of modules that are remembered, so that each is logged once.
const MOST_BLAMED = 100;

export interface RunOptions {
  readonly config: string;
  readonly connect: string | undefined;
  readonly verbose: boolean;
  readonly foreground: boolean;
  readonly user: string | undefined;
  readonly pidFile: string | undefined;
}

const tell = (service: Notifications, log: Log, notice: ServiceNotification): void => {
  if (notice.kind === 'status') return service.status(notice.text);
  if (notice.kind !== 'stuck') return service[notice.kind]();
  log('err', 'daemon', `${notice.text}: watchdog pings stop until it recovers`);
  service.status(notice.text);
};

/** Runs the daemon in this process until a signal stops it. */
export const run = async (options: RunOptions, background: boolean): Promise<void> => {
  // Ends the command at once where there can be no libvirt.
  bridge();
  const log = createLog({ verbose: options.verbose, background });
  const service = notifications(process.env, (message) => log('warning', 'daemon', message));
  let running: Subscription | undefined;
  let serving: Subscription | undefined;
  let releasePidFile = (): void => undefined;
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    service.stopping();
    try {
      running?.unsubscribe();
      serving?.unsubscribe();
    } finally {
      releasePidFile();
      exitWithoutChildren(code);
    }
  };
  const blamed = new Set<string>();
  const fail = (error: unknown): void => {
    // An error of a sink module outside of its stream does not end the daemon.
    const module = moduleOf(error);
    if (module !== undefined) {
      const message = `Sink module ${escapeForLog(module)} has thrown an error outside of its stream, and the daemon continues: ${escapeForLog(reasonOf(error))}`;
      if (!blamed.has(message)) log('err', 'daemon', message);
      if (blamed.size < MOST_BLAMED) blamed.add(message);
      return;
    }
    const text = error instanceof Error ? sourceStack(error.stack ?? error.message) : String(error);
    for (const line of `Stopped by a bug, please report it: ${text}`.split('\n')) log('err', 'daemon', line);
    stop(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (!stopping) log('notice', 'daemon', `Stopping (${signal})`);
      stop(0);
    });
  }
  const config = path.resolve(options.config);
  const endpoint = createStatusEndpoint(config, monotonicScheduler, log);
  signal$('SIGUSR1').subscribe(() => {
    for (const line of endpoint.lines()) log('notice', 'status', line.trim());
  });
  const notStarted = (reason: string, code: number): void => {
    service.status(`Not started: ${reason}`);
    stop(code);
  };
  const disks = runDisks(log);
  const loaded = await load(config, endpoint.families, disks, log);
  if (stopping) return;
  if (loaded.kind === 'refused') return notStarted(loaded.reason, 2);
  const { setup } = loaded;
  try {
    const owner = options.user === undefined ? undefined : ownerOf(options.user);
    if (owner !== undefined) mayBecome(owner);
    // The other user may be unable to read our files.
    if (owner !== undefined) await loadRest();
    process.umask(0o022);
    keepDescriptorsFromChildren();
    const pidFile = options.pidFile ?? (background ? DEFAULT_PID_FILE : undefined);
    if (pidFile !== undefined) releasePidFile = claimPidFile(path.resolve(pidFile), owner);
    endpoint.prepare(owner);
    if (owner !== undefined && isRoot()) await disks.openEarly(setup.config, owner);
    if (owner !== undefined) dropPrivileges(owner);
    if (background) process.chdir('/');
  } catch (error) {
    log('err', 'daemon', reasonOf(error));
    return notStarted(reasonOf(error), 1);
  }

  if (stopping) return;
  serving = endpoint.serve();
  const uri = options.connect === undefined ? {} : { connect: options.connect };
  const onStarted = async (start: Started): Promise<void> => {
    if (start.kind === 'failed') return notStarted(start.reason, 1);
    // After the first snapshot, so that it does not wait for modules that it does not use.
    await loadRest().catch((error: unknown) => {
      if (!(error instanceof PartNotLoaded)) throw error;
      log('warning', 'daemon', `A reload may be refused until a restart: ${escapeForLog(error.message)}`);
    });
    settleV8(monotonicScheduler);
    if (stopping) return;
    log('notice', 'daemon', 'Ready: the first snapshot is published');
    service.ready();
    if (background) reportReady();
  };
  const { view, watched } = endpoint.telemetry;
  const event$ = reload$(config, endpoint.families, disks, log).pipe(
    connect((step$) =>
      merge(
        step$.pipe(map((reload): DaemonEvent => ({ kind: 'reload', reload }))),
        daemon$(step$.pipe(mergeMap(setupOf), startWith(setup)), { ...uri, scheduler: monotonicScheduler, watched }),
      ),
    ),
    tap(endpoint.observe),
  );
  running = event$
    .pipe(
      connect((shared$) =>
        merge(
          shared$.pipe(logEvents({ ...uri, log, scheduler: monotonicScheduler, file: config })),
          shared$.pipe(
            started(setup),
            tap((start) => void onStarted(start)),
            ignoreElements(),
          ),
          service$({
            setup,
            event$: shared$,
            view,
            watchdogInterval: service.watchdogInterval,
            wallClock: Date.now,
            scheduler: monotonicScheduler,
          }),
        ),
      ),
    )
    .subscribe({ next: (notice) => tell(service, log, notice), error: fail });
};
