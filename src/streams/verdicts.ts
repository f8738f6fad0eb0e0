import { filter, identity, map, type OperatorFunction, pipe, scan } from 'rxjs';

import {
  type DomainMetrics,
  domainRunKey,
  type MetricDefinition,
  type Sample,
  type Snapshot,
} from '../model/metric.ts';
import { isVerdict } from '../model/statistics.ts';
import { formatStat } from '../model/value.ts';
import { causeOf, type Verdict } from '../model/verdict.ts';
import { judge, type Reading, STATISTICS_NEEDED } from '../verdict/judge.ts';

/** What is known of one run of a domain. */
interface Known {
  /** What the sources gave; the same object while nothing has changed. */
  readonly given: DomainMetrics;
  readonly reading: Reading;
  readonly verdict: Verdict | undefined;
  readonly shown: DomainMetrics;
}

interface State {
  readonly snapshot: Snapshot | undefined;
  readonly runs: ReadonlyMap<string, Known>;
}

/** Returns a function that reads the statistics of the table from samples, in the units of the statistics. */
const readingOf = (metrics: readonly MetricDefinition[]): ((samples: readonly Sample[]) => Reading) => {
  const needed = new Set(STATISTICS_NEEDED);
  const sources = new Map(
    metrics.flatMap(({ context, name, source }) =>
      context === 'vm' && source.kind === 'stat' && needed.has(source.stat)
        ? [[name, { stat: source.stat, scale: source.scale ?? 1 }] as const]
        : [],
    ),
  );
  return (samples) =>
    new Map(
      samples.flatMap(({ name, value }) => {
        const source = sources.get(name);
        return source === undefined ? [] : [[source.stat, Number(value) / source.scale] as const];
      }),
    );
};

const valueOf = ({ source }: MetricDefinition, verdict: Verdict): string | number =>
  source.kind === 'stat' && source.stat === 'slow.cause'
    ? causeOf(verdict)
    : (verdict.findings[0]?.evidence[0]?.value ?? 0);

const sampleOf = (metric: MetricDefinition, verdict: Verdict): readonly Sample[] => {
  const { name, type, unit, source } = metric;
  if (source.kind !== 'stat' || type === 'group' || type === 'xml') return [];
  const checked = formatStat(type, valueOf(metric, verdict), source.scale);
  return checked.ok ? [{ name, type, ...(unit === undefined ? {} : { unit }), value: checked.value }] : [];
};

/** Returns a function that puts the metrics of the verdict at their places in the order of the configuration. */
const inserter = (
  metrics: readonly MetricDefinition[],
): ((samples: readonly Sample[], verdict: Verdict) => readonly Sample[]) => {
  const order = new Map(
    metrics.flatMap(({ name, variables, context }, at) =>
      context === 'vm' ? [name, ...variables.map((variable) => variable.name)].map((one) => [one, at] as const) : [],
    ),
  );
  const own = metrics.map((metric, at) => ({ metric, at })).filter(({ metric }) => isVerdict(metric));
  return (samples, verdict) =>
    own.reduce<readonly Sample[]>((all, { metric, at }) => {
      const after = all.findIndex(({ name }) => (order.get(name) ?? -1) > at);
      const place = after < 0 ? all.length : after;
      return [...all.slice(0, place), ...sampleOf(metric, verdict), ...all.slice(place)];
    }, samples);
};

/**
 * Adds to each VM why it is slow, by the difference between its latest collection and the one before. Does nothing
 * unless a metric needs it. Unchanged domains keep their objects.
 */
export const verdicts = (metrics: readonly MetricDefinition[]): OperatorFunction<Snapshot, Snapshot> => {
  if (!metrics.some(isVerdict)) return identity;
  const read = readingOf(metrics);
  const insert = inserter(metrics);
  const next = (given: DomainMetrics, before: Known | undefined): Known => {
    if (before?.given === given) return before;
    const reading = read(given.samples);
    // A late value of a collection that has been judged makes no new interval.
    const isNew = before === undefined || reading.get('contention.time') !== before.reading.get('contention.time');
    const verdict = isNew && before !== undefined ? judge(before.reading, reading) : before?.verdict;
    const shown = verdict === undefined ? given : { ...given, samples: insert(given.samples, verdict), verdict };
    return { given, reading: isNew ? reading : before.reading, verdict, shown };
  };
  return pipe(
    scan(
      ({ runs: before }: State, snapshot: Snapshot): State => {
        const runs = new Map<string, Known>();
        for (const given of snapshot.domainMetrics) {
          const key = domainRunKey(given.domain);
          runs.set(key, next(given, before.get(key)));
        }
        return { snapshot: { ...snapshot, domainMetrics: [...runs.values()].map(({ shown }) => shown) }, runs };
      },
      { snapshot: undefined, runs: new Map() },
    ),
    map(({ snapshot }) => snapshot),
    filter((snapshot) => snapshot !== undefined),
  );
};
