import { advance, type Counter, type Stamp } from './counter.ts';
import type { Metric, VmMetrics } from '../../client/watch-document.ts';
import { isNumeric, type Meaning, type MeaningOf, type Quantity } from './metric-semantics.ts';

/** How many shares of CPU are kept of a domain. */
export const HISTORY = 60;

/** A further metric, shown under its own name. */
export interface Extra {
  readonly name: string;
  readonly unit: string;
  /** Its values are bytes. */
  readonly memory: boolean;
  /** Its values are per second. */
  readonly counter: boolean;
}

/** One domain. Memory is in bytes, shares in % of one CPU; what is not known is undefined. */
export interface Row {
  readonly id: string;
  readonly uuid: string;
  readonly cpu: number | undefined;
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
  readonly memoryMaximum: number | undefined;
  readonly steal: number | undefined;
  /** Shares of CPU, the newest last. */
  readonly history: readonly number[];
  /** By name. */
  readonly extras: ReadonlyMap<string, number>;
  readonly counters: ReadonlyMap<string, Counter>;
}

/** The number that is the value of a metric; missing if it is none, or none that can be reckoned with. */
export const numberOf = ({ type, value }: Metric): number | undefined => {
  if (!isNumeric(type)) return undefined;
  const number = Number(value);
  // Blanks are 0 for Number.
  return Number.isFinite(number) && (number !== 0 || value.trim() !== '') ? number : undefined;
};

/** A document, and whether all of its values are new. */
export interface Step {
  readonly stamp: Stamp;
  readonly collected: boolean;
}

const CPU = '\ncpu';
const STEAL = '\nsteal';

/** A domain with one document more. Says which of its metrics are shown under their own names. */
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
  // A metric of such a name would spoil only the share of its own domain.
  const share = (name: string, seconds: number | undefined): number | undefined => {
    const perSecond = seconds === undefined ? undefined : rate(name, seconds);
    return perSecond === undefined ? undefined : perSecond * 100;
  };
  const cpu = share(CPU, numbers.get('cpuTime'));
  const steal = share(STEAL, numbers.get('stealTime')) ?? numbers.get('stealShare');
  const old = before?.history ?? [];
  const moved = counters.get(CPU) !== before?.counters.get(CPU);
  // A value that came late takes the place of the one that it corrects.
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
