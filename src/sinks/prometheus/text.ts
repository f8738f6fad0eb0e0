import { type Metric, Registry } from 'prom-client';

import type { Family, Labels } from '../../figures/family.ts';

/** Content type of the text format, version 0.0.4 (prometheus.io, "Exposition formats"). */
export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

// A page is looked at in terminals, too: no controls, no marks that turn the direction of writing, no lone surrogates.
const UNWANTED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
// Most texts have none of it, and this is faster by far.
const PLAIN = /^[ -~]*$/;
const MOST = 512;

const shown = (text: string): string => {
  const visible = text.replaceAll(/[\t\n\r]/g, ' ').replaceAll(UNWANTED, '\u{fffd}');
  const characters = visible.length > MOST ? [...visible] : [];
  return characters.length > MOST ? `${characters.slice(0, MOST - 1).join('')}…` : visible;
};

/** Any text as the value of a label: in one line, without controls, 512 characters at most. */
export const labelText = (text: string): string => (text.length <= MOST && PLAIN.test(text) ? text : shown(text));

const labelTexts = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, labelText(value)]));

// A registry asks its metrics for their values. Those of prom-client count by themselves; what is shown here has been
// counted already.
const metricOf = ({ name, help, type, series }: Family): Metric => {
  const values = series.map(({ suffix = '', labels = {}, shared = {}, value }) => ({
    metricName: name + suffix,
    labels: labelTexts(labels),
    sharedLabels: shared,
    value,
  }));
  const metric = { name, get: () => Promise.resolve({ name, help: shown(help), type, aggregator: 'sum', values }) };
  return metric as unknown as Metric;
};

/** Whole families as text; those without a series are left out. */
export const familiesText = async (families: readonly Family[]): Promise<string> => {
  const registry = new Registry();
  for (const family of families) if (family.series.length > 0) registry.registerMetric(metricOf(family));
  return await registry.metrics();
};
