import type { Context } from '../../model/metric.ts';
import { baseUnit } from '../../model/units.ts';
import { nameOf } from './unit-names.ts';

const MAX_NAME_LENGTH = 120;

/** Converts a name to the style of Prometheus: `TotalCPUTime` to `total_cpu_time`, `NumCPUs` to `num_cpus`. */
export const snakeCase = (name: string): string => {
  const words = name
    .replaceAll(/([KMGT])iB(?![a-z])/g, '$1ib')
    .replaceAll(/([A-Z]{2,}s)(?![a-z])/g, (plural) => `${plural.charAt(0)}${plural.slice(1).toLowerCase()}_`)
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2');
  return nameOf(words).slice(0, MAX_NAME_LENGTH).replace(/_+$/, '') || 'metric';
};

const joined = (words: readonly string[], otherwise: string): string => words.join('_') || otherwise;

// Names of types, which belong in TYPE; promtool rejects them in a name.
const TYPES = /^(counter|gauge|histogram|summary|untyped)$/;

/** Removes words of the prefix and of TYPE, and repeated words: `host_name` of the host becomes `name`. */
export const withoutStutter = (context: Context, name: string): string => {
  const words = name.split('_').filter((word, at, all) => word !== all[at - 1] || /^\d+$/.test(word));
  const from = words[0] === 'vhostmd' ? 1 : 0;
  const rest = words.slice(words[from] === context ? from + 1 : from);
  const untyped = rest.filter((word) => !TYPES.test(word));
  return joined(untyped, joined(rest, words.join('_')));
};

/** Removes `total`, the suffix of counters. */
export const withoutTotal = (name: string): string =>
  joined(
    name.split('_').filter((word) => word !== 'total'),
    'count',
  );

// `min` may also mean the minimum, and a single letter anything.
const isUnitWord = (word: string, unit: string): boolean =>
  word.length > 1 && word !== 'min' && baseUnit(word)?.base === unit;

/** Appends the unit in place of any other unit: `poll_max_ns` in seconds becomes `poll_max_seconds`. */
export const withUnit = (name: string, unit: string): string => {
  if (unit === '') return name;
  const [amount = '', per = ''] = unit.split(/_?(per_second)$/);
  const words = (per === '' ? name : name.replace(/_(per_second|per_sec|rate)$/, '')).split('_');
  while (words.length > 0 && isUnitWord(words.at(-1) ?? '', amount)) words.pop();
  const rest = words.join('_');
  if (rest === '' || rest === unit || rest.endsWith(`_${unit}`)) return rest || unit;
  return amount !== '' && per === '' && words.at(-1) === amount ? rest : `${rest}_${unit}`;
};
