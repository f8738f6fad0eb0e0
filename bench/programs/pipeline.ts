// The daemon's pipeline and sinks with a period in milliseconds; loads the same modules as the daemon.
// Arguments: configuration, URI, period, and the numbers of ticks after which it sends `Reached`.
import { filter, ignoreElements, map, merge, share, tap } from 'rxjs';

import '../../src/cli/command-line.ts';
import '../../src/cli/handlers/daemon.ts';
import { loadSetup } from '../../src/daemon/load-setup.ts';
import { isOf } from '../../src/daemon/events.ts';
import { logEvents } from '../../src/daemon/log-events.ts';
import { pipeline$ } from '../../src/daemon/topology.ts';
import { createLog } from '../../src/system/log.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { missingLines$ } from '../../src/daemon/log-missing-values.ts';

export interface Reached {
  readonly ticks: number;
}

const [file = '', connect = '', period = '', ...stations] = process.argv.slice(2);
// The daemon's values: the short period must not shorten the wait for late values.
const PATIENCE = { patience: 1000, start: 10_000 };

const logger = createLog({ verbose: false, background: false });
const log: typeof logger = (level, component, message) => {
  if (level === 'err' || level === 'warning') logger(level, component, message);
};
const loaded = await loadSetup(file, { scheduler: monotonicScheduler, write: () => undefined });
if (!loaded.ok) throw new Error(loaded.error.join('\n'));
const { config, sinks } = loaded.value;
const quick = { config: { ...config, updatePeriod: Number(period) }, sinks };
const event$ = pipeline$(quick, { connect, scheduler: monotonicScheduler }, PATIENCE).pipe(share());
const log$ = event$.pipe(logEvents({ log, scheduler: monotonicScheduler, connect, file }));
const snapshot$ = event$.pipe(
  filter(isOf('published')),
  map(({ snapshot }) => snapshot),
);
const reports$ = merge(...sinks.map((sink) => sink.run(snapshot$)));
const missing$ = missingLines$(snapshot$).pipe(ignoreElements());

merge(log$, reports$, missing$)
  .pipe(
    tap((report) => {
      if (report.kind === 'failed' || report.kind === 'warning') throw new Error(report.message);
    }),
    filter((report) => report.kind === 'written' && report.snapshot.cause === 'tick'),
    map((_report, index): Reached => ({ ticks: index + 1 })),
    filter(({ ticks }) => stations.includes(String(ticks))),
  )
  .subscribe((reached) => process.send?.(reached));
