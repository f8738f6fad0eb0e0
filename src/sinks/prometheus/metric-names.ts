import type { Context, MetricDefinition, Sample } from '../../model/metric.ts';
import { type Steady, statisticKind } from './statistic-kinds.ts';
import { type Unit, unitOf } from './unit-names.ts';
import { snakeCase, withoutStutter, withoutTotal, withUnit } from './snake-case.ts';

/** Name, unit and conversion of one metric of the configuration. */
export interface Shown {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'untyped';
  readonly help: string;
  /** Multiplies a value into the base unit. */
  readonly factor: number;
  /** Set for a counter whose source may fall: how to prevent that. */
  readonly steady?: Steady;
  /** True for a text, which becomes the label `value` of a series that is always 1. */
  readonly isText: boolean;
}

type Described = Pick<Sample, 'name' | 'type' | 'unit'>;

// Suffixes with a meaning for Prometheus; any other name with one of them is changed.
const RESERVED = /_(total|info|count|sum|bucket|created)$/;

interface Origin {
  readonly type: Shown['type'];
  readonly unit: Unit;
  readonly text: string;
  readonly steady?: Steady;
}

// The unit of a statistic is certain; that of the configuration may be wrong.
const originOf = (context: Context, unit: string | undefined, metric: MetricDefinition | undefined): Origin => {
  if (metric?.source.kind === 'stat') {
    const { stat, scale = 1 } = metric.source;
    const kind = statisticKind(context, stat);
    const base = unitOf(kind.unit ?? unit);
    // A statistic is shown in its own unit, without the scale; one without a unit as it is published.
    const factor = kind.unit === undefined ? base.factor : base.factor / scale;
    const scaled = scale === 1 || kind.unit !== undefined ? '' : ` x ${scale}`;
    return {
      type: scale < 0 ? 'untyped' : kind.type,
      unit: { name: base.name, factor },
      text: `statistic ${stat}${scaled}`,
      ...(kind.steady === undefined ? {} : { steady: kind.steady }),
    };
  }
  const group = metric?.type === 'group' ? ` of the group ${metric.name}` : '';
  return { type: 'untyped', unit: unitOf(unit), text: `an action${group}` };
};

const named = (context: Context, base: string, { type, unit }: Origin, isText: boolean): string => {
  const prefix = `vhostmd_${context}_`;
  if (isText) return prefix + (/(^|_)info$/.test(base) ? base : `${base}_info`);
  if (type === 'counter') return `${prefix}${withUnit(base, unit.name)}_total`;
  const name = withUnit(base, unit.name);
  const allowed = type === 'untyped' && name.endsWith('_total');
  return prefix + (RESERVED.test(`_${name}`) && !allowed ? `${name}_value` : name);
};

// In OpenMetrics only the values of a counter have `_total`, not the name of the family.
const familyOf = (name: string): string => name.replace(/_total$/, '');

const helpOf = (name: string, { unit, text }: Origin, isText: boolean): string => {
  const words = unit.name === 'ratio' ? 'as a ratio' : `in ${unit.name.replaceAll('_', ' ')}`;
  return `${name}${isText || unit.name === '' ? '' : ` ${words}`}, from ${text}`;
};

const keyOf = (context: Context, { name, type, unit }: Described): string =>
  JSON.stringify([context, name, type === 'string', unit ?? '']);

/** Returns the name, unit and conversion of a sample. */
export type Naming = (context: Context, sample: Described) => Shown;

/**
 * Names metrics: prefix of the context, the configured name in snake case, the base unit, `_total` for counters,
 * `_info` for texts. If two metrics of a context result in the same name, the later one gets `_2`, and so on.
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
    const words = withoutStutter(context, snakeCase(name));
    const base = origin.type === 'counter' && !isText ? withoutTotal(words) : words;
    const free = (at: number): string => {
      const candidate = named(context, at === 1 ? base : `${base}_${at}`, origin, isText);
      return names.has(familyOf(candidate)) ? free(at + 1) : candidate;
    };
    const full = free(1);
    names.add(familyOf(full));
    return {
      name: full,
      type: isText ? 'gauge' : origin.type,
      help: helpOf(name, origin, isText),
      factor: origin.unit.factor,
      isText,
      ...(origin.steady === undefined || origin.type !== 'counter' ? {} : { steady: origin.steady }),
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
  // Names that actions print are dropped when there are 1,000, because they may be different each time.
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
