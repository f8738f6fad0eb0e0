import { advance, type Counter, type Stamp } from './counter.ts';
import { keyOf, type Metric, type Metrics } from '../../client/watch-document.ts';
import type { Meaning, MeaningOf, Quantity } from './metric-semantics.ts';
import { numberOf, rowOf, type Extra, type Row, type Step } from './row.ts';

/** Milliseconds between two documents, until that has been seen. */
export const USUAL_PERIOD = 5000;
const GAPS = 5;

/** The host; units as in rows, and `cpu` in % of all its CPUs if their number is known, else of one. */
export interface Host {
  readonly name?: string;
  readonly cpu?: number;
  readonly numbers: ReadonlyMap<Quantity, number>;
  readonly counter?: Counter;
}

/** All that is known after some documents. */
export interface Model {
  readonly host: Host;
  /** By uuid, or by id where there is none; in the order of the document. */
  readonly rows: ReadonlyMap<string, Row>;
  readonly extras: readonly Extra[];
  /** How many collections have been seen. */
  readonly collections: number;
  /** Of the last document, and of the last that was a collection. */
  readonly stamp?: Stamp;
  readonly collected?: Stamp;
  /** Milliseconds between the last few collections. */
  readonly gaps: readonly number[];
  /** The host's values as one text, and whether that has ever changed. */
  readonly hostText: string;
  readonly lively: boolean;
}

/** Nothing is known. */
export const NOTHING: Model = {
  host: { numbers: new Map() },
  rows: new Map(),
  extras: [],
  collections: 0,
  gaps: [],
  hostText: '',
  lively: false,
};

/** Milliseconds from one collection to the next; `usual` is for as long as that has not been seen. */
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

// Columns that a hostile disk may ask for.
const MOST_EXTRAS = 64;

const isCollection = (model: Model, hostText: string, at: number): boolean => {
  if (model.collected === undefined || hostText !== model.hostText) return true;
  // A host of which only the name is published says nothing of when; changes come within milliseconds, periods take seconds.
  return !model.lively && at - model.collected.at > 900;
};

/** What is known with one document more. Pure; parts of a document that are no numbers, or out of range, are left out. */
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
      // Another id is another run of the domain, whose counters start anew.
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
