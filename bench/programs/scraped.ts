// Serves snapshots of synthetic VMs to Prometheus. Arguments: a socket, the number of VMs, a configuration. A message
// `next` makes a new snapshot and is answered by `ready`; `scraped` is answered by the CPU time since then, in ms.
import { Subject } from 'rxjs';

import type { Config } from '../../src/config/config.ts';
import { readConfig } from '../../src/config/parse.ts';
import { ownFamilies } from '../../src/daemon/telemetry/prometheus-families.ts';
import { createTelemetry } from '../../src/daemon/telemetry/telemetry.ts';
import { processView } from '../../src/daemon/telemetry/process-usage.ts';
import type { DomainMetrics, Snapshot, ValueType } from '../../src/model/metric.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { cpuTime } from '../../src/system/process/cpu-time.ts';
import { prometheus } from '../../src/sinks/prometheus/sink.ts';

/** CPU time of a scrape in ms, of all threads. */
export interface ScrapeCost {
  readonly cpu: number;
}

const [path = '', domainCount = '', file = ''] = process.argv.slice(2);
// Milliseconds after a snapshot until its garbage is collected.
const SETTLED = 50;

const read = readConfig(file);
if (!read.ok) throw new Error(read.error[0]?.message ?? 'no configuration');
const config: Config = read.value;
const telemetry = createTelemetry(monotonicScheduler);
const snapshots = new Subject<Snapshot>();
const sink = {
  key: 'prometheus',
  ...prometheus({
    address: { kind: 'unix', path },
    path: '/metrics',
    scheduler: monotonicScheduler,
    telemetry: () => ownFamilies(telemetry.view(), processView(), 'bench'),
  }),
};

let tick = 0;
const values = (context: 'host' | 'vm', number: number): DomainMetrics['samples'] =>
  config.metrics
    .filter((metric) => metric.context === context)
    .map(({ name, type }) => ({
      name,
      type: type as ValueType,
      value: type === 'real64' ? `${number}.250000` : String(number),
    }));
const snapshot = (): Snapshot => ({
  cause: 'tick',
  tick: (tick += 1),
  at: monotonicScheduler.now(),
  host: values('host', tick),
  domainMetrics: Array.from({ length: Number(domainCount) }, (_, id) => ({
    domain: { id, name: `vm-${id}`, uuid: `00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}` },
    samples: values('vm', tick * 7 + id * 13),
  })),
  missing: [],
  metrics: config.metrics,
});

let from = 0;
const next = (): void => {
  const value = snapshot();
  telemetry.published({ config, sinks: [sink] }, value);
  snapshots.next(value);
  setTimeout(() => {
    process.send?.('ready');
    from = cpuTime();
  }, SETTLED);
};
sink.run(snapshots).subscribe((report) => {
  if (report.kind === 'failed') throw new Error(report.message);
  telemetry.reported({ sink, report });
  if (report.kind === 'opened') process.send?.('open');
});
process.on('message', (message) => {
  if (message === 'next') next();
  else process.send?.({ cpu: cpuTime() - from } satisfies ScrapeCost);
});
