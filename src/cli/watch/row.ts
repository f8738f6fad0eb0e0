import { advance, type Counter, type Stamp } from './counter.ts';
import type { Metric, VmMetrics } from '../../client/watch-document.ts';
import { isNumeric, type Meaning, type MeaningOf } from './metric-semantics.ts';
import type { Quantity } from '../../model/statistics.ts';

/** Number of shares of CPU kept for each domain. */
export const HISTORY = 60;

/** A metric without a column of its own, shown under its name. */
export interface Extra {
  readonly name: string;
  readonly unit: string;
  /** True if its values are bytes. */
  readonly memory: boolean;
  /** True if its values are per second. */
  readonly counter: boolean;
}

/** One domain. Memory is in bytes, shares are in % of one CPU; unknown values are undefined. */
export interface Row {
  readonly id: string;
  readonly uuid: string;
  readonly cpu: number | undefined;
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
  readonly memoryMaximum: number | undefined;
  readonly steal: number | undefined;
  /** Shares of CPU, newest last. */
  readonly history: readonly number[];
  /** By name. */
  readonly extras: ReadonlyMap<string, number>;
  readonly counters: ReadonlyMap<string, Counter>;
}

/** Returns the value of a metric as a number, or undefined if it is not a finite number. */
export const numberOf = ({ type, value }: Metric): number | undefined => {
  if (!isNumeric(type)) return undefined;
  const number = Number(value);
  // Number('  ') is 0.
  return Number.isFinite(number) && (number !== 0 || value.trim() !== '') ? number : undefined;
};

/** Stamp of a document. `collected`: it is a whole collection. */
export interface Step {
  readonly stamp: Stamp;
  readonly collected: boolean;
}

const CPU = '\ncpu';
const STEAL = '\nsteal';

/** Returns the row of a domain after one more document. Calls `onExtra` for metrics without a column of their own. */
export const rowOf = (
  before: Row | undefined,
  { id, uuid, metrics }: VmMetrics,
  meaningOf: MeaningOf,
  step: Step,
  onExtra: (metric: Metric, meaning: Meaning) => void,
): Row => {
  const numbers = new Map<Quantity, number>();
  const counters = new Map<string, Counter>();
  const extras = new Map<string, number>();
  const rate = (name: string, value: number): number | undefined => {
    const counter = advance(before?.counters.get(name), value, step.stamp, step.collected);
    counters.set(name, counter);
    return counter.rate;
  };
  for (const metric of metrics) {
    const number = numberOf(metric);
    if (number === undefined) continue;
    const meaning = meaningOf('vm', metric);
    const { quantity, factor, counter } = meaning;
    if (quantity === undefined) {
      const shown = counter ? rate(metric.name, number * factor) : number * factor;
      if (shown !== undefined && !extras.has(metric.name)) extras.set(metric.name, shown);
      onExtra(metric, meaning);
    } else if (!numbers.has(quantity)) numbers.set(quantity, number * factor);
  }
  // A metric with such a name could only falsify the share of its own domain.
  const share = (name: string, seconds: number | undefined): number | undefined => {
    const perSecond = seconds === undefined ? undefined : rate(name, seconds);
    return perSecond === undefined ? undefined : perSecond * 100;
  };
  const cpu = share(CPU, numbers.get('cpuTime'));
  const steal = share(STEAL, numbers.get('stealTime')) ?? numbers.get('stealShare');
  const old = before?.history ?? [];
  const moved = counters.get(CPU) !== before?.counters.get(CPU);
  // A late value replaces the one that it corrects.
  const kept = step.collected ? old.slice(-HISTORY + 1) : old.slice(0, -1);
  return {
    id,
    uuid,
    cpu,
    cpus: numbers.get('cpus'),
    memory: numbers.get('memory'),
    memoryMaximum: numbers.get('memoryMaximum'),
    steal,
    history: cpu !== undefined && moved ? [...kept, cpu] : old,
    extras,
    counters,
  };
};
