import { advance, type Counter, type Stamp } from './counter.ts';
import { keyOf, type Metric, type Metrics } from '../../client/watch-document.ts';
import type { Meaning, MeaningOf } from './metric-semantics.ts';
import type { Quantity } from '../../model/statistics.ts';
import { numberOf, rowOf, type Extra, type Row, type Step } from './row.ts';

/** Milliseconds between two collections, until measured. */
export const USUAL_PERIOD = 5000;
const GAPS = 5;

/** The host, in the units of a row. `cpu`: % of all its CPUs if their number is known, else of one. */
export interface Host {
  readonly name?: string;
  readonly cpu?: number;
  readonly numbers: ReadonlyMap<Quantity, number>;
  readonly counter?: Counter;
}

/** State after any number of documents. */
export interface Model {
  readonly host: Host;
  /** By UUID, or by id without one; in the order of the document. */
  readonly rows: ReadonlyMap<string, Row>;
  readonly extras: readonly Extra[];
  /** Number of collections so far. */
  readonly collections: number;
  /** Stamp of the last document. */
  readonly stamp?: Stamp;
  /** Stamp of the last document that was a whole collection. */
  readonly collected?: Stamp;
  /** Milliseconds between the last few collections. */
  readonly gaps: readonly number[];
  /** Values of the host as one text. */
  readonly hostText: string;
  /** True if the values of the host have ever changed. */
  readonly lively: boolean;
}

/** State before the first document. */
export const NOTHING: Model = {
  host: { numbers: new Map() },
  rows: new Map(),
  extras: [],
  collections: 0,
  gaps: [],
  hostText: '',
  lively: false,
};

/** Returns the median of the last gaps between collections in milliseconds; `usual` until there is one. */
export const periodOf = ({ gaps }: Model, usual = USUAL_PERIOD): number =>
  gaps.length === 0 ? usual : (gaps.toSorted((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)] ?? usual);

const present = <K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };

const hostOf = (before: Host, metrics: readonly Metric[], meaningOf: MeaningOf, step: Step): Host => {
  const numbers = new Map<Quantity, number>();
  let name: string | undefined;
  for (const metric of metrics) {
    const { quantity, factor } = meaningOf('host', metric);
    const number = numberOf(metric);
    if (quantity === 'name') name ??= metric.value;
    else if (quantity !== undefined && number !== undefined && !numbers.has(quantity))
      numbers.set(quantity, number * factor);
  }
  const time = numbers.get('cpuTime');
  const counter = time === undefined ? undefined : advance(before.counter, time, step.stamp, step.collected);
  const share = counter?.rate === undefined ? undefined : (100 * counter.rate) / Math.max(1, numbers.get('cpus') ?? 1);
  return { numbers, ...present('name', name), ...present('counter', counter), ...present('cpu', share) };
};

// Limits the columns that a hostile disk can add.
const MOST_EXTRAS = 64;

const isCollection = (model: Model, hostText: string, at: number): boolean => {
  if (model.collected === undefined || hostText !== model.hostText) return true;
  // If host values never change, time decides: changes follow within milliseconds, collections after seconds.
  return !model.lively && at - model.collected.at > 900;
};

/** Returns the state after one more document. Pure. Skips values that are not finite numbers. */
export const nextModel = (
  model: Model,
  metrics: Metrics,
  { at, isExact }: Pick<Stamp, 'at' | 'isExact'>,
  meaningOf: MeaningOf,
): Model => {
  const hostText = metrics.host.map(({ name, value }) => `${name}\n${value}`).join('\n');
  const collected = isCollection(model, hostText, at);
  const clock = metrics.host.find((metric) => meaningOf('host', metric).quantity === 'time');
  const stamp: Stamp = { at, isExact, ...present('time', clock === undefined ? undefined : numberOf(clock)) };
  const step: Step = { stamp, collected };
  const extras = new Map(model.extras.map((extra) => [extra.name, extra]));
  const onExtra = ({ name, unit = '' }: Metric, { memory, counter }: Meaning): void => {
    if (extras.size < MOST_EXTRAS && !extras.has(name)) extras.set(name, { name, unit, memory, counter });
  };
  const rows = new Map(
    metrics.vms.map((vm) => {
      const key = keyOf(vm);
      const before = model.rows.get(key);
      // A new id is a new run of the domain, whose counters start from 0.
      return [key, rowOf(before?.id === vm.id ? before : undefined, vm, meaningOf, step, onExtra)];
    }),
  );
  const since = model.collected?.isExact === true && collected && isExact ? at - model.collected.at : undefined;
  return {
    host: hostOf(model.host, metrics.host, meaningOf, step),
    rows,
    extras: [...extras.values()],
    collections: model.collections + (collected ? 1 : 0),
    stamp,
    ...present('collected', collected ? stamp : model.collected),
    gaps: since === undefined ? model.gaps : [...model.gaps, since].slice(-GAPS),
    hostText,
    lively: model.lively || (model.collected !== undefined && hostText !== model.hostText),
  };
};
