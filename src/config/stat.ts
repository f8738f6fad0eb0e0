import type { Context, MetricSource, MetricType } from '../model/metric.ts';
import { findStat, mayBeNew, STATISTICS } from '../model/statistics.ts';
import { nearest, quote } from '../model/suggest.ts';
import type { XmlElement } from '../xml/element-tree.ts';
import { attributeOf, textOf, trim } from './values.ts';
import type { Reporter } from './values.ts';

const other = (context: Context): Context => (context === 'host' ? 'vm' : 'host');

/** Returns the nearest name of the table, with the numbers of `name` in place of its `#`. */
const suggestion = (context: Context, name: string): string | undefined => {
  const isNumber = (part: string): boolean => /^(?:[0-9]+|\*)$/.test(part);
  const parts = name.split('.');
  const numbers = parts.filter(isNumber);
  const general = parts.map((part) => (isNumber(part) ? '#' : part)).join('.');
  const names = STATISTICS[context].map((known) => known.name);
  const found = nearest(general, names);
  let used = 0;
  return found?.replace(/#/g, () => numbers[used++] ?? '*');
};

const unknown = (context: Context, name: string): string => {
  if (findStat(other(context), name) !== undefined) {
    return `Statistic ${quote(name)} exists in context ${other(context)} only; the metric's context is ${context}`;
  }
  const near = suggestion(context, name);
  const far = near === undefined ? suggestion(other(context), name) : undefined;
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  const farHint = far === undefined ? '' : `; did you mean "${far}", which is of context ${other(context)}?`;
  return `Unknown statistic ${quote(name)} in context ${context}${hint}${farHint}`;
};

const newField = (name: string): string => {
  const near = suggestion('vm', name);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `Statistic ${quote(name)} is not in the table of libvirt 12, and has a value only if "virsh domstats" prints it${hint}`;
};

const readScale = (element: XmlElement, { error }: Reporter): number | undefined => {
  const text = attributeOf(element, 'scale');
  if (text === undefined) return undefined;
  const written = trim(text.value);
  const scale = Number(written);
  if (/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(written) && scale > 0 && Number.isFinite(scale))
    return scale;
  error(text.index, `${text.what} must be a positive decimal number like 0.001 or 1e-9, found ${quote(text.value)}`);
  return undefined;
};

/** Reads `<stat>`. Its name must exist in `context` (or in a newer libvirt), and its type must fit the metric's. */
export const readStat = (
  element: XmlElement,
  context: Context,
  type: MetricType,
  reporter: Reporter,
): MetricSource | undefined => {
  const { value: name, index } = textOf(element);
  const scale = readScale(element, reporter);
  if (type === 'group' || type === 'xml') {
    reporter.error(
      element.index,
      `A metric of type ${type} needs <action>: <stat> gives one value; choose another type`,
    );
    return undefined;
  }
  const known = findStat(context, name);
  if (known === undefined && context === 'vm' && mayBeNew(name)) reporter.warn(index, newField(name));
  else if (known === undefined) {
    reporter.error(index, name === '' ? '<stat> is empty; write the name of a statistic' : unknown(context, name));
    return undefined;
  }
  if (known?.type === 'string') {
    const scaled = attributeOf(element, 'scale');
    if (type !== 'string') {
      reporter.error(index, `Statistic ${quote(name)} is text; the metric's type must be string, found ${type}`);
    }
    if (scaled !== undefined)
      reporter.error(scaled.index, `Statistic ${quote(name)} is text and cannot be scaled; remove scale`);
    if (name.includes('*'))
      reporter.error(index, `Statistic ${quote(name)} is text and cannot be summed; write a number for "*"`);
  }
  return { kind: 'stat', stat: name, ...(scale === undefined ? {} : { scale }) };
};
