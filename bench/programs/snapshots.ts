// Drives synthetic domains through streams, XML and disk; sends the CPU time of each snapshot by part, in ms.
// Arguments: the path of the disk, the number of domains, the number of snapshots.
import { openSync, writeSync } from 'node:fs';

import { from, map, of, Subject, tap } from 'rxjs';

import type { Domain, MetricDefinition, MetricType, Reading, Snapshot, ValueType } from '../../src/model/metric.ts';
import { document, metricsXml } from '../../src/model/metrics-xml.ts';
import { monotonicScheduler } from '../../src/system/monotonic.ts';
import { cpuTime } from '../../src/system/process/cpu-time.ts';
import { metricsDisk } from '../../src/sinks/metrics-disk/shared-disk-sink.ts';
import type { Sources } from '../../src/sources/source.ts';
import { snapshot$ } from '../../src/streams/snapshot.ts';

export interface SnapshotCosts {
  readonly all: readonly number[];
  readonly streams: readonly number[];
  readonly xml: readonly number[];
  readonly disk: readonly number[];
  /** Of that, making the synthetic readings. */
  readonly collection: readonly number[];
  /** The least for the same bytes: encoding the text and one pwrite. */
  readonly least: readonly number[];
  /** Length of the last document. */
  readonly bytes: number;
}

const PERIOD = 5000;
const DISK = 32 * 2 ** 20;
// The first snapshots run code that is not compiled yet.
const WARM_UP = 5;

const [path = '', domainCount = '', snapshotCount = ''] = process.argv.slice(2);

const metric = (index: number, name: string, type: MetricType): MetricDefinition => ({
  index,
  name,
  type,
  context: 'vm',
  source: { kind: 'stat', stat: 'cpu.time' },
  variables: [],
  every: 1,
  timeout: PERIOD,
  place: { file: 'synthetic', line: 1, column: 1 },
});

// Names and types of the default configuration.
const metrics = [
  metric(0, 'TotalCPUTime', 'real64'),
  metric(1, 'ResourceProcessorLimit', 'uint32'),
  metric(2, 'ResourceMemoryLimit', 'uint64'),
  metric(3, 'PhysicalMemoryAllocatedToVirtualSystem', 'uint64'),
];

const domains = Array.from({ length: Number(domainCount) }, (_, id): Domain => {
  const uuid = `00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}`;
  return { uuid, id: id + 1, name: `vm-${id}` };
});

let round = 0;
// Returns one batch per domain, as virDomainGetInfo does; every value differs from that of the previous round.
const readings = (domain: Domain): readonly Reading[] =>
  metrics.map((definition): Reading => {
    const { name, index } = definition;
    const number = round * 7 + domain.id * 13 + index;
    const value = index === 0 ? `${number}.250000` : String(number);
    return {
      metric: definition,
      domain,
      outcome: { ok: true, samples: [{ name, type: definition.type as ValueType, value }] },
    };
  });

const tick = new Subject<number>();
const sources: Sources = {
  tick$: tick,
  domain$: of({ kind: 'sync', domains }),
  isFromLibvirt: () => false,
  hostStats$: () => of([]),
  domainCollectors: [{ metrics, collect$: (due) => from(due).pipe(map(readings)) }],
  action$: () => of({ ok: true, samples: [] }),
};

const marks = { streams: 0, xml: 0, written: 0, bytes: 0 };
let published: Snapshot | undefined;
const plain = openSync(`${path}.plain`, 'w');
metricsDisk({ path, size: DISK, scheduler: monotonicScheduler })
  .run(
    snapshot$(sources, metrics, PERIOD, monotonicScheduler).pipe(
      tap(() => (marks.streams = cpuTime())),
      // Measures the XML on its own; the sink uses the cached result.
      tap(metricsXml),
      tap(() => (marks.xml = cpuTime())),
      tap((snapshot) => (published = snapshot)),
    ),
  )
  .subscribe((report) => {
    if (report.kind === 'failed' || report.kind === 'warning') throw new Error(report.message);
    if (report.kind !== 'written') return;
    marks.written = cpuTime();
    marks.bytes = report.bytes ?? 0;
  });

/** Returns the CPU time of encoding a document and writing it. */
const leastOf = (snapshot: Snapshot): number => {
  const text = document(metricsXml(snapshot));
  const begin = cpuTime();
  writeSync(plain, Buffer.from(text, 'latin1'), 0, text.length, 0);
  return cpuTime() - begin;
};
const collectionOf = (): number => {
  const begin = cpuTime();
  domains.forEach(readings);
  return cpuTime() - begin;
};

type Lists = { [Name in Exclude<keyof SnapshotCosts, 'bytes'>]: number[] };
const costs: Lists = { all: [], streams: [], xml: [], disk: [], collection: [], least: [] };
let last = cpuTime();
const next = (): void => {
  // Includes the garbage collection of the previous snapshot, which other threads run after it.
  const from = last;
  const begin = cpuTime();
  tick.next(round);
  if (marks.written < begin) throw new Error('the snapshot was not written at once');
  round += 1;
  setTimeout(() => {
    last = cpuTime();
    if (round > WARM_UP) {
      costs.all.push(last - from);
      costs.streams.push(marks.streams - begin);
      costs.xml.push(marks.xml - marks.streams);
      costs.disk.push(marks.written - marks.xml);
      costs.collection.push(collectionOf());
      if (published !== undefined) costs.least.push(leastOf(published));
      last = cpuTime();
    }
    if (costs.all.length < Number(snapshotCount)) setImmediate(next);
    else process.send?.({ ...costs, bytes: marks.bytes } satisfies SnapshotCosts, () => process.exit(0));
  }, 50);
};
setTimeout(next, 100);
