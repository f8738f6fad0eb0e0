import type { Family, Labels, Series } from '../../model/metric-family.ts';
import { domainRunKey, type Context, type MetricDefinition, type Sample, type Snapshot } from '../../model/metric.ts';
import { type Naming, naming, type Shown } from './metric-names.ts';
import { HOST, type Steadied, steadiedCounters } from './steady-counters.ts';
import { labelText } from './exposition.ts';
import { verdictFamilies } from './verdict-families.ts';

/** A snapshot as families of Prometheus. */
export interface Page {
  readonly families: readonly Family[];
  /** Number of values that are not shown, because of a repeated name or because they are not numbers. */
  readonly leftOut: number;
}

const NONE: readonly MetricDefinition[] = [];
const known = new WeakMap<readonly MetricDefinition[], Naming>();

const namingOf = (definitions: readonly MetricDefinition[]): Naming => {
  const found = known.get(definitions);
  if (found !== undefined) return found;
  const made = naming(definitions);
  known.set(definitions, made);
  return made;
};

const numberOf = (value: string, factor: number): number | undefined => {
  const number = Number(value);
  return value.trim() === '' || !Number.isFinite(number) ? undefined : number * factor;
};

interface Group {
  readonly shown: Shown;
  readonly series: Series[];
  /** Target of the last series: of two with the same name only the first is shown. */
  last: object | undefined;
}

/**
 * Converts all values of a snapshot: those of the host, and those of each VM with the labels `domain` (its name) and
 * `uuid`. `steadied` keeps the counters of one sink.
 */
export const snapshotFamilies = (snapshot: Snapshot, steadied: Steadied = steadiedCounters()): Page => {
  const { host, domainMetrics, metrics = NONE } = snapshot;
  const nameOf = namingOf(metrics);
  const groups = new Map<string, Group>();

  const add = (context: Context, target: object, run: string, shared: Labels) => (sample: Sample) => {
    const shown = nameOf(context, sample);
    const group: Group = groups.get(shown.name) ?? { shown, series: [], last: undefined };
    groups.set(shown.name, group);
    const number = shown.isText ? 1 : numberOf(sample.value, shown.factor);
    if (number === undefined || group.last === target) return;
    group.last = target;
    const value = shown.steady === undefined ? number : steadied.value(run, shown.name, number, shown.steady);
    group.series.push(shown.isText ? { labels: { value: sample.value }, shared, value } : { shared, value });
  };

  host.forEach(add('host', host, HOST, {}));
  for (const { domain, samples } of domainMetrics) {
    samples.forEach(
      add('vm', domain, domainRunKey(domain), { domain: labelText(domain.name), uuid: labelText(domain.uuid) }),
    );
  }
  steadied.forget(snapshot);
  const families = [...groups.values()].map(({ shown, series }): Family => ({ ...shown, series }));
  const samples = domainMetrics.reduce((sum, domain) => sum + domain.samples.length, host.length);
  const leftOut = samples - families.reduce((sum, { series }) => sum + series.length, 0);
  return { families: [...families, ...verdictFamilies(snapshot)], leftOut };
};
