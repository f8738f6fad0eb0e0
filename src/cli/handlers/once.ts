import { connect, filter, firstValueFrom, fromEvent, map, merge, of, takeUntil } from 'rxjs';

import { isOf } from '../../daemon/events.ts';
import { logEvents } from '../../daemon/log-events.ts';
import { pipeline$ } from '../../daemon/topology.ts';
import { bridge } from '../../system/libc.ts';
import { createLog, type Log } from '../../system/log.ts';
import { document, metricsXml } from '../../model/metrics-xml.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { missingLines$ } from '../../daemon/log-missing-values.ts';
import { exitWithoutChildren } from '../../system/process/exit.ts';
import { TERMINAL_SIGNALS } from '../../system/process/signals.ts';
import { complain } from '../../system/safe-output.ts';
import { loadSetup } from '../../daemon/load-setup.ts';

// Milliseconds between ticks, so that there is no second one; timers of Node overflow after 24 days.
const ONE_TICK = 86_400_000;
// Milliseconds after the deadline of the slowest action, in which it is killed or given up.
const KILL = 2000;

/** `vhostmd once`: collects everything once, including slow actions, and prints the XML. Opens no sink. */
export const once = async (options: {
  readonly config: string;
  readonly connect: string | undefined;
}): Promise<number> => {
  // Ends the command at once where there can be no libvirt.
  bridge();
  const loaded = await loadSetup(options.config, { scheduler: monotonicScheduler, write: () => undefined });
  for (const line of loaded.warnings) complain(`${line} (warning)`);
  if (!loaded.ok) {
    for (const line of loaded.error) complain(line);
    return 2;
  }
  const all = createLog({ verbose: false, background: false });
  const log: Log = (level, component, message) => {
    if (level !== 'notice' || component === 'metrics') all(level, component, message);
  };
  const uri = options.connect === undefined ? {} : { connect: options.connect };
  const { config } = loaded.value;
  const slowest = config.updatePeriod + KILL;
  const setup = { config: { ...config, updatePeriod: ONE_TICK }, sinks: [] };
  const patience = { patience: slowest, start: 2 * slowest };
  const snapshot$ = pipeline$(setup, { ...uri, scheduler: monotonicScheduler }, patience).pipe(
    connect((event$) =>
      merge(event$.pipe(logEvents({ ...uri, log, scheduler: monotonicScheduler, file: options.config })), event$),
    ),
    filter(isOf('published')),
    map(({ snapshot }) => snapshot),
  );
  const signal$ = merge(...TERMINAL_SIGNALS.map((signal) => fromEvent(process, signal)));
  const snapshot = await firstValueFrom(snapshot$.pipe(takeUntil(signal$)), { defaultValue: undefined });
  if (snapshot === undefined) {
    exitWithoutChildren(1);
    return 1;
  }
  missingLines$(of(snapshot)).subscribe(({ level, message }) => log(level, 'metrics', message));
  process.stdout.write(document(metricsXml(snapshot)), () => exitWithoutChildren(0));
  return 0;
};
