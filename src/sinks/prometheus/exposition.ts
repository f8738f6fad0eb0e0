import { type Metric, Registry } from 'prom-client';

import type { Family, Labels } from '../../model/metric-family.ts';

/** The text format 0.0.4 (prometheus.io, "Exposition formats"), or OpenMetrics 1.0 (openmetrics.io). */
export type Format = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** End of a page. */
export const END: Readonly<Record<Format, string>> = { text: '', openmetrics: '# EOF\n' };

// Terminals may show a page: no control characters, no marks that change the direction of text, no lone surrogates.
const UNWANTED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
// Fast path for most texts.
const PLAIN = /^[ -~]*$/;
const MAX_LABEL_LENGTH = 512;

const shown = (text: string): string => {
  const visible = text.replaceAll(/[\t\n\r]/g, ' ').replaceAll(UNWANTED, '\u{fffd}');
  const characters = visible.length > MAX_LABEL_LENGTH ? [...visible] : [];
  return characters.length > MAX_LABEL_LENGTH ? `${characters.slice(0, MAX_LABEL_LENGTH - 1).join('')}…` : visible;
};

/** Converts any text to the value of a label: one line without control characters, at most 512 characters. */
export const labelText = (text: string): string =>
  text.length <= MAX_LABEL_LENGTH && PLAIN.test(text) ? text : shown(text);

const labelTexts = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, labelText(value)]));

// OpenMetrics escapes quotation marks in HELP, which prom-client does not, and uses `unknown` instead of `untyped`.
const described = ({ help, type }: Family, format: Format) =>
  format === 'text'
    ? { help: shown(help), type }
    : { help: shown(help).replaceAll('"', "'"), type: type === 'untyped' ? 'unknown' : type };

// A registry gets the values of its metrics from them. prom-client's own metrics count; these have counted values.
// For OpenMetrics the registry appends `_total` to each value of a counter, but not to the name of the family.
const metricOf = (family: Family, format: Format): Metric => {
  const { type, series } = family;
  const name = format === 'openmetrics' && type === 'counter' ? family.name.replace(/_total$/, '') : family.name;
  const values = series.map(({ suffix = '', labels = {}, shared = {}, value }) => ({
    metricName: name + suffix,
    labels: labelTexts(labels),
    sharedLabels: shared,
    value,
  }));
  const get = () => Promise.resolve({ name, ...described(family, format), aggregator: 'sum', values });
  return { name, get } as unknown as Metric;
};

/** Renders families as text, without the end of a page and without families that have no series. */
export const familiesText = async (families: readonly Family[], format: Format = 'text'): Promise<string> => {
  const registry = new Registry();
  if (format === 'openmetrics') registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  const some = families.filter(({ series }) => series.length > 0);
  if (some.length === 0) return '';
  for (const family of some) registry.registerMetric(metricOf(family, format));
  const text = await registry.metrics();
  return format === 'text' ? text : text.slice(0, -END.openmetrics.length);
};
