import { VALUE_TYPES, type Context, type MetricDefinition } from '../../model/metric.ts';
import { baseUnit } from '../../model/units.ts';

/** What the table knows how to show. Times are in seconds, memory in bytes, shares in %. */
export type Quantity =
  | 'name'
  | 'time'
  | 'cpuTime'
  | 'cpus'
  | 'memory'
  | 'memoryMaximum'
  | 'memoryTotal'
  | 'memoryUsed'
  | 'memoryFree'
  | 'memoryAvailable'
  | 'load1'
  | 'load5'
  | 'load15'
  | 'stealTime'
  | 'stealShare';

/** What a metric stands for, and the factor that makes seconds or bytes of its values. */
export interface Meaning {
  /** Missing for a metric that is shown under its own name. */
  readonly quantity?: Quantity;
  readonly factor: number;
  /** The factor makes bytes. */
  readonly memory: boolean;
  /** It only grows, so that its growth per second is what is worth seeing. */
  readonly counter: boolean;
}

/** What a document says of a metric besides its value. */
export interface Label {
  readonly name: string;
  readonly type: string;
  readonly unit?: string;
}

interface Known {
  readonly name: RegExp;
  readonly quantity: Quantity;
  /** The dimension of its unit, and the factor where it has none. */
  readonly dimension?: 'memory' | 'time';
  readonly factor?: number;
}

const MIB = 1024 ** 2;
// Names of the two presets, of libvirt's and the host's statistics, and what else is usual; lower case, without punctuation.
const HOST: readonly Known[] = [
  { name: /^(host)?name$|^hosthostname$/, quantity: 'name' },
  { name: /^(host)?time$/, quantity: 'time', dimension: 'time' },
  { name: /^(host|total)?cputime$/, quantity: 'cpuTime', dimension: 'time' },
  { name: /^numberofphysicalcpus$|^totalphycpus$|^numcpus$|^(host)?cpus$/, quantity: 'cpus' },
  { name: /^totalphymem$|^totalmemory$|^memorytotal$/, quantity: 'memoryTotal', dimension: 'memory', factor: MIB },
  {
    name: /^memoryallocatedtovirtualservers$|^usedmem(ory)?$/,
    quantity: 'memoryUsed',
    dimension: 'memory',
    factor: MIB,
  },
  { name: /^freephysicalmemory$|^freemem(ory)?$/, quantity: 'memoryFree', dimension: 'memory', factor: MIB },
  { name: /^availablemem(ory)?$/, quantity: 'memoryAvailable', dimension: 'memory', factor: MIB },
  { name: /^hostmemorytotal$/, quantity: 'memoryTotal', dimension: 'memory', factor: 1024 },
  { name: /^hostmemoryused$/, quantity: 'memoryUsed', dimension: 'memory', factor: 1024 },
  { name: /^hostmemoryfree$/, quantity: 'memoryFree', dimension: 'memory', factor: 1024 },
  { name: /^hostmemoryavailable$/, quantity: 'memoryAvailable', dimension: 'memory', factor: 1024 },
  { name: /^(host)?load(avg|average)?1?(m|min)?$/, quantity: 'load1' },
  { name: /^(host)?load(avg|average)?5(m|min)?$/, quantity: 'load5' },
  { name: /^(host)?load(avg|average)?15(m|min)?$/, quantity: 'load15' },
];
const VM: readonly Known[] = [
  { name: /^totalcputime$/, quantity: 'cpuTime', dimension: 'time' },
  { name: /^cputime$/, quantity: 'cpuTime', dimension: 'time', factor: 1e-9 },
  { name: /^resourceprocessorlimit$|^vcpucurrent$|^(num|numberof)?(v|virtual)cpus$/, quantity: 'cpus' },
  { name: /^physicalmemoryallocatedtovirtualsystem$/, quantity: 'memory', dimension: 'memory', factor: MIB },
  { name: /^(current)?mem(ory)?$/, quantity: 'memory', dimension: 'memory', factor: MIB },
  { name: /^ballooncurrent$/, quantity: 'memory', dimension: 'memory', factor: 1024 },
  { name: /^resourcememorylimit$/, quantity: 'memoryMaximum', dimension: 'memory', factor: MIB },
  { name: /^max(imum)?mem(ory)?$/, quantity: 'memoryMaximum', dimension: 'memory', factor: MIB },
  { name: /^balloonmaximum$/, quantity: 'memoryMaximum', dimension: 'memory', factor: 1024 },
];
const STEAL = /steal|^v?cpus?(ready|delay)$/;
const COUNTER =
  /\b(rx|tx)\.(bytes|pkts|errs|drop)$|\b(rd|wr|fl)\.(reqs|times|bytes)$|\.sum$|^vcpu\..*\.(time|wait|delay)$|^cpu\./;
const NUMBERS: ReadonlySet<string> = new Set(VALUE_TYPES.filter((type) => type !== 'string'));

const BASES = { memory: 'bytes', time: 'seconds' } as const;

/** What a unit multiplies: bytes of a unit of memory, seconds of one of time. */
const unitFactor = (dimension: 'memory' | 'time', unit: string): number | undefined => {
  const known = baseUnit(unit);
  return known?.base === BASES[dimension] ? known.factor : undefined;
};

const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

const plain = (counter: boolean, factor = 1, memory = false): Meaning => ({ factor, memory, counter });

const steal = ({ type, unit = '' }: Label, name: string): Meaning => {
  const share = unit.trim() === '%' || /percent|pct|share/.test(name);
  if (share) return { quantity: 'stealShare', factor: 1, memory: false, counter: false };
  // Without a unit: libvirt's own integers are nanoseconds; a real number is what a scale made of them.
  const bareFactor = type.startsWith('real') ? 1 : 1e-9;
  return { quantity: 'stealTime', factor: unitFactor('time', unit) ?? bareFactor, memory: false, counter: true };
};

const byName = (context: Context, label: Label): Meaning => {
  const { name, unit } = label;
  const key = bare(name);
  const known = (context === 'host' ? HOST : VM).find((row) => row.name.test(key));
  if (known !== undefined) {
    const { quantity, dimension, factor = 1 } = known;
    const given = dimension === undefined || unit === undefined ? undefined : unitFactor(dimension, unit);
    return { quantity, factor: given ?? factor, memory: dimension === 'memory', counter: quantity === 'cpuTime' };
  }
  if (context === 'vm' && STEAL.test(key)) return steal(label, key);
  const bytes = unit === undefined ? undefined : unitFactor('memory', unit);
  return plain(COUNTER.test(name), bytes, bytes !== undefined);
};

// What a `<stat>` counts is known exactly, whatever the metric's name: its own unit, less the scale.
const byStat = (context: Context, label: Label, stat: string, scale: number): Meaning => {
  const meaning =
    stat === 'vcpu.*.delay' ? steal({ ...label, unit: 'ns' }, '') : byName(context, { name: stat, type: label.type });
  if (meaning.quantity !== undefined) return { ...meaning, factor: meaning.factor / scale };
  return { ...byName(context, label), counter: meaning.counter || COUNTER.test(stat) };
};

/** Whether the values of a metric of that type are numbers. */
export const isNumeric = (type: string): boolean => NUMBERS.has(type);

/** Finds what a metric stands for. */
export type MeaningOf = (context: Context, metric: Label) => Meaning;

// Bounded, because names come from a disk that anybody may have written.
const MOST_KNOWN = 10_000;

/** Finds what metrics stand for: by the statistic that the configuration gives them, else by their names and units. */
export const meanings = (definitions: readonly MetricDefinition[] = []): MeaningOf => {
  const stats = new Map<string, { readonly stat: string; readonly scale: number }>();
  for (const { context, name, source } of definitions)
    if (source.kind === 'stat') stats.set(`${context} ${name}`, { stat: source.stat, scale: source.scale ?? 1 });
  // Asked for every metric of every document, so what was said of the same name last is at hand.
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
