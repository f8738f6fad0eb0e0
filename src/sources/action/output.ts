import type { MetricDefinition, Outcome, Sample } from '../../model/metric.ts';
import { type Checked, checkValue } from '../../model/value.ts';
import { readXml } from './output-xml.ts';
import { failed, measured, sample } from './samples.ts';

/** Reads the output of an action as values of its metric: all of them, or none. */
export const readOutput = (metric: MetricDefinition, output: string): Outcome => {
  if (output.trim() === '') return failed('printed nothing');
  if (metric.type === 'xml') return readXml(metric, output);
  if (metric.type === 'group') return readGroup(metric, output);
  const checked = checkValue(metric.type, output);
  return checked.ok ? measured([sample(metric, metric.type, checked.value)], [checked]) : failed(checked.reason);
};

// A group is one line with a value for each variable. If the line does not fit, none of its values can be trusted.
const readGroup = ({ variables }: MetricDefinition, output: string): Outcome => {
  const line = output.trim();
  if (/[\r\n]/.test(line)) return failed('printed several lines where a group takes one');
  const fields = line.split(',');
  if (fields.length !== variables.length)
    return failed(`printed ${count(fields.length, 'field')} for ${count(variables.length, 'variable')}`);
  const samples: Sample[] = [];
  const printed: Checked[] = [];
  for (const [index, variable] of variables.entries()) {
    const checked = checkValue(variable.type, fields[index] ?? '');
    if (!checked.ok) return failed(`variable ${variable.name}: ${checked.reason}`);
    samples.push(sample(variable, variable.type, checked.value));
    printed.push(checked);
  }
  return measured(samples, printed);
};

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
