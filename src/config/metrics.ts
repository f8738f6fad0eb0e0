import type { Context, MetricDefinition, MetricSource, MetricType, Place, Variable } from '../model/metric.ts';
import { VALUE_TYPES } from '../model/metric.ts';
import { MAX_SECONDS } from './globals.ts';
import type { Globals } from './globals.ts';
import { readStat } from './stat.ts';
import { quote } from '../model/suggest.ts';
import type { XmlElement } from '../xml/element-tree.ts';
import { attributeOf, child, integer, line, textOf, trim } from './values.ts';
import type { Reporter, Text } from './values.ts';

const METRIC_TYPES: readonly MetricType[] = [...VALUE_TYPES, 'group', 'xml'];
const CONTEXTS: readonly Context[] = ['host', 'vm'];

const optionalUnit = (element: XmlElement, reporter: Reporter): { readonly unit?: string } => {
  const text = attributeOf(element, 'unit');
  if (text === undefined || text.value === '') return {};
  const unit = line(text, reporter);
  return unit === undefined ? {} : { unit };
};

const attributeSeconds = (
  element: XmlElement,
  name: string,
  reporter: Reporter,
): (Text & { readonly ms: number }) | undefined => {
  const text = attributeOf(element, name);
  const found = text && integer(text, { min: 1, max: MAX_SECONDS, meaning: 'seconds' }, reporter);
  return text === undefined || found === undefined ? undefined : { ...text, ms: found * 1000 };
};

const readTimeout = (element: XmlElement, { actionTimeout, updatePeriod }: Globals, reporter: Reporter): number => {
  const timeout = attributeSeconds(element, 'timeout', reporter);
  if (timeout === undefined) return actionTimeout;
  if (timeout.ms > updatePeriod)
    reporter.warn(timeout.index, `${timeout.what} is reduced to the update period, ${updatePeriod / 1000} s`);
  return Math.min(timeout.ms, updatePeriod);
};

const readEvery = (element: XmlElement, { updatePeriod }: Globals, reporter: Reporter): number => {
  const period = attributeSeconds(element, 'period', reporter);
  if (period === undefined) return 1;
  if (period.ms % updatePeriod === 0) return period.ms / updatePeriod;
  const seconds = updatePeriod / 1000;
  const near = Math.max(1, Math.round(period.ms / updatePeriod)) * seconds;
  reporter.error(
    period.index,
    `${period.what} must be a multiple of the update period (${seconds} s), found ${quote(period.value)}; write ${near}, for example`,
  );
  return 1;
};

const readVariables = (element: XmlElement, type: MetricType, reporter: Reporter): readonly Variable[] => {
  const elements = element.children.filter(({ name }) => name === 'variable');
  const [first] = elements;
  if (type === 'group' && first === undefined) {
    reporter.error(
      element.index,
      'A metric of type group needs at least one <variable>, one for each value of its line',
    );
  }
  if (type !== 'group' && first !== undefined) {
    reporter.error(
      first.index,
      `Only metrics of type group have <variable>, this one is ${type}; remove it or write type="group"`,
    );
  }
  return elements.flatMap((variable) => {
    const text = attributeOf(variable, 'name');
    const name = text && line({ ...text, value: trim(text.value) }, reporter);
    const valueType = VALUE_TYPES.find((known) => known === variable.attributes.get('type')?.value);
    if (name === undefined || valueType === undefined) return [];
    return [{ name, type: valueType, ...optionalUnit(variable, reporter) }];
  });
};

const readSource = (
  element: XmlElement,
  context: Context,
  type: MetricType,
  reporter: Reporter,
): MetricSource | undefined => {
  const stat = child(element, 'stat');
  const action = child(element, 'action');
  if (action !== undefined) {
    if (trim(action.text) !== '') return { kind: 'action', command: action.text };
    reporter.error(action.index, '<action> is empty; write a shell command or use <stat>');
    return undefined;
  }
  return stat && readStat(stat, context, type, reporter);
};

const readMetric = (
  element: XmlElement,
  index: number,
  globals: Globals,
  place: Place,
  reporter: Reporter,
): MetricDefinition | undefined => {
  const type = METRIC_TYPES.find((known) => known === element.attributes.get('type')?.value);
  const context = CONTEXTS.find((known) => known === element.attributes.get('context')?.value);
  const nameElement = child(element, 'name');
  const name = nameElement && line(textOf(nameElement), reporter);
  const timing = { every: readEvery(element, globals, reporter), timeout: readTimeout(element, globals, reporter) };
  const unit = optionalUnit(element, reporter);
  if (type === undefined || context === undefined) return undefined;
  const variables = readVariables(element, type, reporter);
  const source = readSource(element, context, type, reporter);
  if (name === undefined || source === undefined) return undefined;
  return { index, name, type, context, ...unit, source, variables, ...timing, place };
};

/** Names that a metric publishes; none for an xml metric, whose output is not known beforehand. */
const published = ({ type, name, variables }: MetricDefinition): readonly string[] =>
  type === 'group' ? variables.map((variable) => variable.name) : type === 'xml' ? [] : [name];

/** Reads the definitions in `<metrics>`. A metric with an error is reported and left out. */
export const readMetrics = (
  metrics: XmlElement,
  globals: Globals,
  placeOf: (element: XmlElement) => Place,
  reporter: Reporter,
): readonly MetricDefinition[] => {
  const seen = new Map<string, Place>();
  return metrics.children
    .filter(({ name }) => name === 'metric')
    .flatMap((element, index) => {
      const metric = readMetric(element, index, globals, placeOf(element), reporter);
      if (metric === undefined) return [];
      for (const name of published(metric)) {
        const key = `${metric.context} ${name}`;
        const first = seen.get(key);
        if (first === undefined) seen.set(key, metric.place);
        else {
          reporter.warn(
            element.index,
            `Metric ${quote(name)} of context ${metric.context} is already defined in line ${first.line}; both are published, ` +
              'but readers that look it up by name may find either',
          );
        }
      }
      return [metric];
    });
};
