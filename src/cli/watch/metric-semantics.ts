import { VALUE_TYPES, type Context, type MetricDefinition } from '../../model/metric.ts';
import { findStat, type Quantity, type Statistic, STATISTICS } from '../../model/statistics.ts';
import { baseUnit } from '../../model/units.ts';

/** Quantity of a metric, and the factor that converts its values to seconds or bytes. */
export interface Meaning {
  /** Absent for a metric that is shown under its own name. */
  readonly quantity?: Quantity;
  readonly factor: number;
  /** True if the factor converts to bytes. */
  readonly memory: boolean;
  /** True if it only grows, so that its growth per second is shown. */
  readonly counter: boolean;
}

/** Name, type and unit of a metric in a document. */
export interface Label {
  readonly name: string;
  readonly type: string;
  readonly unit?: string;
}

// Names in the presets, and other usual ones; lower case, without punctuation.
const NAMES: Readonly<Record<Context, readonly (readonly [name: RegExp, quantity: Quantity])[]>> = {
  host: [
    [/^(host)?name$/, 'name'],
    [/^time$/, 'time'],
    [/^(total)?cputime$/, 'cpuTime'],
    [/^numberofphysicalcpus$|^totalphycpus$|^(num)?cpus$/, 'cpus'],
    [/^totalphymem$|^totalmemory$|^memorytotal$/, 'memoryTotal'],
    [/^memoryallocatedtovirtualservers$|^usedmem(ory)?$/, 'memoryUsed'],
    [/^freephysicalmemory$|^freemem(ory)?$/, 'memoryFree'],
    [/^availablemem(ory)?$/, 'memoryAvailable'],
    [/^(host)?load(avg|average)?1?(m|min)?$/, 'load1'],
    [/^(host)?load(avg|average)?5(m|min)?$/, 'load5'],
    [/^(host)?load(avg|average)?15(m|min)?$/, 'load15'],
  ],
  vm: [
    [/^totalcputime$/, 'cpuTime'],
    [/^resourceprocessorlimit$|^(num|numberof)?(v|virtual)cpus$/, 'cpus'],
    [/^physicalmemoryallocatedtovirtualsystem$|^(current)?mem(ory)?$/, 'memory'],
    [/^resourcememorylimit$|^max(imum)?mem(ory)?$/, 'memoryMaximum'],
  ],
};
const STEAL = /steal|^v?cpus?(ready|delay)$/;
const NUMBERS: ReadonlySet<string> = new Set(VALUE_TYPES.filter((type) => type !== 'string'));

const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

const bareNames = (known: readonly Statistic[]): ReadonlyMap<string, Statistic> =>
  new Map(known.filter(({ name }) => !name.includes('#')).map((statistic) => [bare(statistic.name), statistic]));
const BARE_NAMES = { host: bareNames(STATISTICS.host), vm: bareNames(STATISTICS.vm) };

/** Returns the quantity of metrics with a name, and their unit if they have none. */
const named = (context: Context, key: string): { readonly quantity?: Quantity | undefined; readonly unit?: string } => {
  const quantity = NAMES[context].find(([name]) => name.test(key))?.[1];
  if (quantity === undefined) return BARE_NAMES[context].get(key) ?? {};
  return { quantity, unit: quantity.startsWith('memory') ? 'MiB' : /time$/i.test(quantity) ? 's' : '' };
};

const meaningOf = (quantity: Quantity, unit: string, given = ''): Meaning => {
  const own = baseUnit(unit);
  const other = baseUnit(given);
  const factor = (own?.base === other?.base ? other : own)?.factor ?? 1;
  return { quantity, factor, memory: own?.base === 'bytes', counter: /^(cpu|steal)Time$/.test(quantity) };
};

const steal = ({ type, unit = '' }: Label, name: string): Meaning => {
  const share = unit.trim() === '%' || /percent|pct|share/.test(name);
  // Without a unit, integers are libvirt's nanoseconds, and real numbers are scaled to seconds.
  if (!share) return meaningOf('stealTime', type.startsWith('real') ? 's' : 'ns', unit);
  return { quantity: 'stealShare', factor: 1, memory: false, counter: false };
};

const byName = (context: Context, label: Label): Meaning => {
  const key = bare(label.name);
  const { quantity, unit = '' } = named(context, key);
  if (quantity !== undefined) return meaningOf(quantity, unit, label.unit);
  if (context === 'vm' && STEAL.test(key)) return steal(label, key);
  const base = baseUnit(label.unit ?? '');
  const memory = base?.base === 'bytes';
  return { factor: memory ? base.factor : 1, memory, counter: findStat(context, label.name)?.kind === 'counter' };
};

// The unit of a `<stat>` is known exactly, whatever the metric's name; the scale is divided out.
const byStat = (context: Context, label: Label, stat: string, scale: number): Meaning => {
  const { name = '', quantity, unit = '', kind } = findStat(context, stat) ?? {};
  if (quantity === undefined || name.replaceAll('#', '*') !== stat)
    return { ...byName(context, label), counter: kind === 'counter' };
  const meaning = meaningOf(quantity, unit);
  return { ...meaning, factor: meaning.factor / scale };
};

/** True if values of that type are numbers. */
export const isNumeric = (type: string): boolean => NUMBERS.has(type);

/** Returns the meaning of a metric. */
export type MeaningOf = (context: Context, metric: Label) => Meaning;

// Limits the memory for names from an untrusted disk.
const MOST_KNOWN = 10_000;

/** Finds the meaning of metrics by the statistic that the configuration gives them, else by their names and units. */
export const meanings = (definitions: readonly MetricDefinition[] = []): MeaningOf => {
  const stats = new Map<string, { readonly stat: string; readonly scale: number }>();
  for (const { context, name, source } of definitions)
    if (source.kind === 'stat') stats.set(`${context} ${name}`, { stat: source.stat, scale: source.scale ?? 1 });
  // Called for every metric of every document, so the last result of each name is cached.
  const last = {
    host: new Map<string, { readonly label: Label; readonly meaning: Meaning }>(),
    vm: new Map<string, { readonly label: Label; readonly meaning: Meaning }>(),
  };
  return (context, metric) => {
    const known = last[context].get(metric.name);
    if (known?.label.type === metric.type && known.label.unit === metric.unit) return known.meaning;
    const given = stats.get(`${context} ${metric.name}`);
    const meaning = given === undefined ? byName(context, metric) : byStat(context, metric, given.stat, given.scale);
    if (last[context].size < MOST_KNOWN) last[context].set(metric.name, { label: metric, meaning });
    return meaning;
  };
};
