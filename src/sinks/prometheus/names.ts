import type { Context, MetricDefinition, Sample } from '../../metric.ts';
import { statisticKind } from './statistics.ts';
import { nameOf, type Unit, unitOf } from './units.ts';

/** How one metric of the configuration is shown. */
export interface Shown {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'untyped';
  readonly help: string;
  /** Multiplies a value into the base unit. */
  readonly factor: number;
  /** A text: it becomes the label `value` of a series that is always 1. */
  readonly isText: boolean;
}

type Described = Pick<Sample, 'name' | 'type' | 'unit'>;

const MOST = 120;
// Endings that mean something to Prometheus; what merely happens to have one gets another.
const RESERVED = /_(total|info|count|sum|bucket|created)$/;

/** A name in the style of Prometheus: `TotalCPUTime` is `total_cpu_time`, `NumCPUs` is `num_cpus`. */
export const snakeCase = (name: string): string => {
  const words = name
    .replaceAll(/([A-Z]{2,}s)(?![a-z])/g, (plural) => `${plural.charAt(0)}${plural.slice(1).toLowerCase()}_`)
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2');
  return nameOf(words).slice(0, MOST).replace(/_+$/, '') || 'metric';
};

const endingOnce = (name: string, ending: string): string =>
  ending === '' || name === ending || name.endsWith(`_${ending}`) ? name : `${name}_${ending}`;

interface Origin {
  readonly type: Shown['type'];
  readonly unit: Unit;
  readonly text: string;
}

// A statistic's own unit is certain; that of the configuration is what somebody wrote there.
const originOf = (context: Context, unit: string | undefined, metric: MetricDefinition | undefined): Origin => {
  if (metric?.source.kind === 'stat') {
    const { stat, scale = 1 } = metric.source;
    const kind = statisticKind(context, stat);
    const base = unitOf(kind.unit ?? unit);
    const factor = kind.unit === undefined ? base.factor : base.factor / scale;
    const scaled = scale === 1 ? '' : ` x ${scale}`;
    return {
      type: scale < 0 ? 'untyped' : kind.type,
      unit: { name: base.name, factor },
      text: `statistic ${stat}${scaled}`,
    };
  }
  const group = metric?.type === 'group' ? ` of the group ${metric.name}` : '';
  return { type: 'untyped', unit: unitOf(unit), text: `an action${group}` };
};

const numbered = (base: string, at: number): string => (at === 1 ? base : `${base}_${at}`);

const named = (context: Context, base: string, { type, unit }: Origin, isText: boolean): string => {
  const prefix = `vhostmd_${context}_`;
  if (isText) return prefix + endingOnce(base, 'info');
  if (type === 'counter') return `${prefix}${endingOnce(base.replace(/_total$/, '') || base, unit.name)}_total`;
  const name = endingOnce(base, unit.name);
  const allowed = type === 'untyped' && name.endsWith('_total');
  return prefix + (RESERVED.test(name) && !allowed ? `${name}_value` : name);
};

const keyOf = (context: Context, { name, type, unit }: Described): string =>
  JSON.stringify([context, name, type === 'string', unit ?? '']);

/** Finds how a sample is shown. */
export type Naming = (context: Context, sample: Described) => Shown;

/**
 * The rules: prefix by context, the configured name in snake case, the base unit, `_total` for counters, `_info` for
 * texts. If two metrics of a context come to the same name the later one gets `_2`, and so on.
 */
export const naming = (definitions: readonly MetricDefinition[]): Naming => {
  const taken = new Set<string>();
  const known = new Map<string, Shown>();
  const add = (
    names: { readonly has: (name: string) => boolean; readonly add: (name: string) => void },
    context: Context,
    sample: Described,
    metric?: MetricDefinition,
  ): Shown => {
    const { name, type, unit } = sample;
    const isText = type === 'string';
    const origin = originOf(context, unit, metric);
    const base = snakeCase(name);
    let at = 1;
    while (names.has(named(context, numbered(base, at), origin, isText))) at += 1;
    const full = named(context, numbered(base, at), origin, isText);
    names.add(full);
    const written = unit === undefined ? '' : ` in ${unit}`;
    const { factor } = origin.unit;
    return {
      name: full,
      type: isText ? 'gauge' : origin.type,
      help: `${name}${written}, from ${origin.text}`,
      factor,
      isText,
    };
  };
  for (const metric of definitions) {
    const { context, type } = metric;
    if (type === 'xml') continue;
    const samples: readonly Described[] = type === 'group' ? metric.variables : [{ ...metric, type }];
    for (const sample of samples) {
      const key = keyOf(context, sample);
      if (!known.has(key)) known.set(key, add(taken, context, sample, metric));
    }
  }
  // Names that an action prints are not kept: there may be others each time.
  const printed = new Map<string, Shown>();
  const printedNames = new Set<string>();
  const all = {
    has: (name: string) => taken.has(name) || printedNames.has(name),
    add: (name: string) => void printedNames.add(name),
  };
  return (context, sample) => {
    const key = keyOf(context, sample);
    const found = known.get(key) ?? printed.get(key);
    if (found !== undefined) return found;
    if (printed.size >= 1000) {
      printed.clear();
      printedNames.clear();
    }
    const shown = add(all, context, sample);
    printed.set(key, shown);
    return shown;
  };
};
