import { defer, map, of, share, startWith, Subject, type SchedulerLike, type Subscription } from 'rxjs';

import { version } from '../system/version.ts';
import { ownFamilies } from './telemetry/prometheus-families.ts';
import type { Family } from '../model/metric-family.ts';
import type { DaemonEvent } from './events.ts';
import { createTelemetry, observe, type Telemetry } from './telemetry/telemetry.ts';
import { processView } from './telemetry/process-usage.ts';
import type { Log } from '../system/log.ts';
import type { Snapshot } from '../model/metric.ts';
import { document, metricsXml } from '../model/metrics-xml.ts';
import type { Owner } from '../system/process/privileges.ts';
import { reasonOf } from '../model/reason.ts';
import { makeSocketFolder, ownSocketPath, statusSocket$, type Told } from './status/socket.ts';
import { type Status, statusOf } from './status/status.ts';
import { asciiJson, statusLines } from './status/text.ts';

/** Status of the daemon, and its socket. */
export interface StatusEndpoint {
  readonly telemetry: Telemetry;
  /** The daemon's figures for Prometheus. */
  readonly families: () => readonly Family[];
  /** The status as lines of text, as `vhostmd status` prints it. */
  readonly lines: () => readonly string[];
  /** Counts an event of the daemon. */
  readonly observe: (event: DaemonEvent) => void;
  /** Makes the folder of the status socket for `owner`, before the privileges are dropped. */
  readonly prepare: (owner?: Owner) => void;
  /** Serves `vhostmd status` and `vhostmd watch` until unsubscribed. A failure is logged once. */
  readonly serve: () => Subscription | undefined;
}

export const createStatusEndpoint = (file: string, scheduler: SchedulerLike, log: Log): StatusEndpoint => {
  const telemetry = createTelemetry(scheduler);
  const count = observe(telemetry);
  const published$ = new Subject<Snapshot>();
  // Serialised once per snapshot, and only for followers; the age is that of the moment.
  const rests = new WeakMap<Snapshot, string>();
  const restOf = (snapshot: Snapshot): string => {
    const known = rests.get(snapshot);
    if (known !== undefined) return known;
    const names = Object.fromEntries(snapshot.domainMetrics.map(({ domain: { uuid, name } }) => [uuid, name]));
    const told = { names, document: document(metricsXml(snapshot)) } satisfies Omit<Told, 'ageSeconds'>;
    const rest = asciiJson(told).slice(1);
    rests.set(snapshot, rest);
    return rest;
  };
  const lineOf = (snapshot: Snapshot, at: number): Buffer => {
    const ageSeconds = (scheduler.now() - at) / 1000;
    return Buffer.from(`{"ageSeconds":${ageSeconds},${restOf(snapshot)}\n`);
  };
  const line$ = published$.pipe(
    map((snapshot) => lineOf(snapshot, scheduler.now())),
    share(),
  );
  const follow$ = defer(() => {
    const { newest } = telemetry.view();
    return newest === undefined ? line$ : line$.pipe(startWith(lineOf(newest.snapshot, newest.at)));
  });
  const ourVersion = version();
  const socket = ownSocketPath(process.env, process.getuid?.());
  const about = { version: ourVersion, pid: process.pid, file };
  const status = (): Status => statusOf(telemetry.view(), about, processView());
  const goWithout = (error: unknown): void =>
    log('notice', 'status', `The status socket is not available: ${reasonOf(error)}`);
  return {
    telemetry,
    lines: () => statusLines(status()),
    families: () => ownFamilies(telemetry.view(), processView(), ourVersion),
    observe: (event) => {
      count(event);
      if (event.kind === 'published') published$.next(event.snapshot);
    },
    prepare: (owner) => {
      try {
        if (socket !== undefined) makeSocketFolder(socket, owner);
      } catch {
        // `serve` logs the failure.
      }
    },
    serve: () => {
      if (socket === undefined) {
        goWithout('there is neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR to make its socket in');
        return undefined;
      }
      return statusSocket$(socket, { status$: defer(() => of(`${asciiJson(status())}\n`)), follow$ }).subscribe({
        error: goWithout,
      });
    },
  };
};
