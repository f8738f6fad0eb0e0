import {
  type Domain,
  type DomainMetrics,
  domainRunKey,
  type MissingValue,
  type Sample,
  type Snapshot,
} from '../../model/metric.ts';
import { causeOf, type Verdict } from '../../model/verdict.ts';
import { CAUSES } from '../../verdict/causes.ts';
import { judge } from '../../verdict/judge.ts';

/** Values of a domain or of the host by the names of the statistics. */
export type Values = ReadonlyMap<string, string>;

/** CPU time that a domain used between the two readings, in ns. */
export interface CpuUse {
  readonly domain: Domain;
  readonly used: number;
}

/** What two collections show of one domain. */
export interface Observation {
  readonly domain: Domain;
  readonly verdict: Verdict;
  /** True if no cause could be judged. */
  readonly blind: boolean;
  readonly before: Values;
  readonly now: Values;
  /** Why a statistic has no value now, or that the value is old. */
  readonly missing: ReadonlyMap<string, string>;
  readonly host: { readonly before: Values; readonly now: Values };
  /** All running domains, this one included. */
  readonly cpu: readonly CpuUse[];
}

/** Returns the number of a value; undefined if it is absent. */
export const numberOf = (values: Values, name: string): number | undefined => {
  const value = values.get(name);
  return value === undefined ? undefined : Number(value);
};

/** Returns how much a counter has grown; undefined if that is not known. */
export const growthOf = ({ before, now }: Pick<Observation, 'before' | 'now'>, name: string): number | undefined => {
  const [from, to] = [numberOf(before, name), numberOf(now, name)];
  return from === undefined || to === undefined || to < from ? undefined : to - from;
};

const valuesOf = (samples: readonly Sample[]): Values => new Map(samples.map(({ name, value }) => [name, value]));

const NOT_NUMBERS = /^(?:activity\.(?:job|paused\.reason)|(?:block|net)\.\d+\.name)$/;
const readingOf = (values: Values): ReadonlyMap<string, number> =>
  new Map([...values].flatMap(([name, value]) => (NOT_NUMBERS.test(name) ? [] : [[name, Number(value)] as const])));

const UNSEEN: Verdict = { seconds: 0, findings: [], unseen: CAUSES.map(({ name }) => name), measured: {} };
const LATE = 'its QEMU does not answer in time';

const reasonsOf = ({ missing, late = [] }: Snapshot): ReadonlyMap<string, ReadonlyMap<string, string>> => {
  const all = new Map<string, Map<string, string>>();
  const add = ({ metric, domain }: Pick<MissingValue, 'metric' | 'domain'>, reason: string): void => {
    const key = domain === undefined ? '' : domainRunKey(domain);
    const reasons = all.get(key) ?? new Map<string, string>();
    all.set(key, reasons.set(metric.name, reason));
  };
  for (const value of late) add(value, LATE);
  for (const value of missing) add(value, value.reason);
  return all;
};

const runsOf = ({ domainMetrics }: Snapshot): ReadonlyMap<string, DomainMetrics> =>
  new Map(domainMetrics.map((metrics) => [domainRunKey(metrics.domain), metrics]));

/**
 * Compares two snapshots. Returns an observation for each domain that runs in the second one, or for the one with that
 * UUID; one that did not run in the first one cannot be judged.
 */
export const observed = (first: Snapshot, second: Snapshot, uuid: string | undefined): readonly Observation[] => {
  const earlier = runsOf(first);
  const host = { before: valuesOf(first.host), now: valuesOf(second.host) };
  const pairs = second.domainMetrics.map(({ domain, samples }) => ({
    domain,
    before: valuesOf(earlier.get(domainRunKey(domain))?.samples ?? []),
    now: valuesOf(samples),
  }));
  const cpu = pairs.flatMap((pair) => {
    const used = growthOf(pair, 'cpu.time');
    return used === undefined ? [] : [{ domain: pair.domain, used }];
  });
  const reasons = reasonsOf(second);
  return pairs
    .filter(({ domain }) => uuid === undefined || domain.uuid === uuid)
    .map((pair): Observation => {
      const verdict = judge(readingOf(pair.before), readingOf(pair.now)) ?? UNSEEN;
      return {
        ...pair,
        verdict,
        blind: verdict.findings.length === 0 && verdict.unseen.length === CAUSES.length,
        missing: reasons.get(domainRunKey(pair.domain)) ?? new Map(),
        host,
        cpu,
      };
    });
};

/** Exit status: 1 if a cause was found, 2 if none could be judged, else 0. */
export const statusOf = ({ verdict, blind }: Observation): 0 | 1 | 2 => {
  if (verdict.findings.length > 0) return 1;
  return blind ? 2 : 0;
};

export const firstCauseOf = ({ verdict }: Observation): ReturnType<typeof causeOf> => causeOf(verdict);
