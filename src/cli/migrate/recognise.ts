import type { Context, MetricDefinition, ValueType } from '../../model/metric.ts';
import { checkValue, formatStat } from '../../model/value.ts';
import { substitute } from '../../sources/action/substitute.ts';
import { NotUnderstood } from './not-understood.ts';
import { type Procps, type SampleHost, sampleHosts } from './sample-host.ts';
import { USUAL } from './sample-values.ts';
import { predict } from './shell/predict.ts';
import { statisticsOf } from './statistics-of.ts';

/** What the values of some pipelines depend on. */
export interface Machine {
  /** Undefined where it is not known. */
  readonly procps: Procps | undefined;
  readonly xen: boolean;
}

/** The statistic with the value of an action, or the reason why there is none. `note`: a condition. */
export type Verdict =
  | { readonly stat: string; readonly scale: number; readonly note?: string }
  | { readonly reason: string };

// Factors between the units in use: KiB, MiB, GiB and bytes; seconds and their parts; clock ticks.
const SCALES = [1, 1 / 1024, 1 / 1_048_576, 1024, 1e-9, 1e-6, 1e-3, 100, 1e3, 1e6, 1e9];

/** What an action prints on a sample host, and what the daemon would read there. */
interface Trial {
  readonly host: SampleHost;
  readonly printed: string;
  readonly statistics: ReadonlyMap<string, number | string>;
}

/** One in the last digit of a printed number: the most by which a pipeline that rounds may differ. */
const lastDigit = (printed: string): number => {
  const [, decimals = '', exponent = '0'] = /^[-+]?\d*\.?(\d*)(?:[eE]([-+]?\d+))?/.exec(printed.trim()) ?? [];
  return 10 ** (Number(exponent) - decimals.length);
};

/** True if the statistic has the printed value, false if it has another, undefined if both have none. */
const isSame = (
  type: ValueType,
  { host, printed }: Trial,
  value: number | string,
  scale: number,
): boolean | undefined => {
  const theirs = checkValue(type, printed);
  const ours = formatStat(type, value, scale);
  if (!theirs.ok && !ours.ok) return undefined;
  if (!theirs.ok || !ours.ok) return false;
  if (type === 'string') return theirs.value === ours.value;
  const difference = Math.abs(Number(theirs.value) - Number(ours.value));
  const slip = Math.abs(Number(ours.value)) * 1e-12;
  return difference <= (host.exact ? 0 : lastDigit(theirs.value)) + slip;
};

/** `same`: on all usual hosts, and on all others where the action prints anything; `silent`: it never prints. */
type Agreement = 'same' | 'other' | 'silent';
const agreement = (type: ValueType, trials: readonly Trial[], stat: string, scale: number): Agreement => {
  if (trials.every(({ printed }) => printed.trim() === '')) return 'silent';
  // What is the same on all hosts is a constant, which a statistic may have by chance after rounding.
  if (new Set(trials.slice(0, USUAL).map(({ printed }) => printed.trim())).size < USUAL) return 'other';
  const agrees = trials.every((trial, index) => {
    const usual = index < USUAL;
    if (trial.printed.trim() === '') return !usual;
    const value = trial.statistics.get(stat);
    return value !== undefined && (isSame(type, trial, value, scale) ?? !usual);
  });
  return agrees ? 'same' : 'other';
};

/** A sample host, with what the daemon would read there. */
interface Sample {
  readonly host: SampleHost;
  readonly statistics: Readonly<Record<Context, ReadonlyMap<string, number | string>>>;
}

const samplesOf = (procps: Procps, xen: boolean): readonly Sample[] =>
  sampleHosts(procps, xen).map((host) => ({
    host,
    statistics: { host: statisticsOf(host, 'host'), vm: statisticsOf(host, 'vm') },
  }));

const trialsOf = ({ source, context }: MetricDefinition, samples: readonly Sample[]): readonly Trial[] =>
  samples.map(({ host, statistics }) => {
    const domain = context === 'vm' ? host.domain : undefined;
    const command = source.kind === 'action' ? substitute(source.command, { domain, path: '' }) : '';
    const { output, status } = predict(command, host);
    return { host, printed: status === 0 ? output : '', statistics: statistics[context] };
  });

/** Writes the element for a statistic. */
export const written = (stat: string, scale: number): string =>
  scale === 1 ? `<stat>${stat}</stat>` : `<stat scale="${scale}">${stat}</stat>`;

const withoutStatistic = (trials: readonly Trial[]): string => {
  if (trials.every(({ printed }) => printed.trim() === '')) return 'it prints nothing';
  return trials.some(({ host, printed }) => printed.includes(host.libvirt))
    ? 'it prints a version of libvirt; that of the running hypervisor is <stat>host.product</stat>'
    : 'its value is not one of the statistics of vhostmd, or has other text around it';
};

const PROCPS = [4, 3] as const;

const verdictOf = (
  type: ValueType,
  trials: Readonly<Record<Procps, readonly Trial[]>>,
  own: Procps | undefined,
): Verdict => {
  let elsewhere: string | undefined;
  for (const stat of trials[4][0]?.statistics.keys() ?? []) {
    for (const scale of SCALES) {
      const found = { 3: agreement(type, trials[3], stat, scale), 4: agreement(type, trials[4], stat, scale) };
      const same = PROCPS.find((version) => found[version] === 'same');
      if (same === undefined) continue;
      if (!PROCPS.some((version) => found[version] === 'other')) return { stat, scale };
      if (own === same) return { stat, scale, note: `as procps ${same} counts, which this host has` };
      elsewhere = `only procps ${same} counts as ${written(stat, scale)}, and this host has ${own === undefined ? 'none' : `procps ${own}`}`;
    }
  }
  return { reason: elsewhere ?? withoutStatistic([...trials[4], ...trials[3]]) };
};

/** Finds the statistic that has the value of an action on every sample host. Runs nothing. */
export const recogniser = ({ procps, xen }: Machine): ((metric: MetricDefinition) => Verdict) => {
  const samples = { 3: samplesOf(3, xen), 4: samplesOf(4, xen) };
  return (metric) => {
    const { type } = metric;
    if (type === 'group' || type === 'xml') return { reason: `it has several values (type ${type}); <stat> gives one` };
    try {
      const trials = { 3: trialsOf(metric, samples[3]), 4: trialsOf(metric, samples[4]) };
      return verdictOf(type, trials, procps);
    } catch (error) {
      if (error instanceof NotUnderstood) return { reason: `it ${error.message}` };
      throw error;
    }
  };
};
