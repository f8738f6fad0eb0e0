import type { Context, MetricDefinition, Sample, Snapshot } from '../../metric.ts';
import { type Naming, naming, type Shown } from './names.ts';
import { headText, labelValue } from './text.ts';

/** A snapshot in the text format. */
export interface Page {
  readonly text: string;
  /** Values that are not shown: two of one name, or no number. */
  readonly leftOut: number;
}

const NONE: readonly MetricDefinition[] = [];
const known = new WeakMap<readonly MetricDefinition[], Naming>();

const namingOf = (definitions: readonly MetricDefinition[]): Naming => {
  const found = known.get(definitions);
  if (found !== undefined) return found;
  const made = naming(definitions);
  known.set(definitions, made);
  return made;
};

// As it was printed, with all its digits, where the unit is right already.
const numberText = (value: string, factor: number): string | undefined => {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) return undefined;
  return factor === 1 ? value : String(number * factor);
};

interface Group {
  readonly shown: Shown;
  readonly lines: string[];
  /** The target whose line came last: of two with the same name the first is shown. */
  last: object | undefined;
}

/** All values of a snapshot: the host's, and those of each VM with the labels `domain` (its name) and `uuid`. */
export const snapshotPage = ({ host, guests, metrics = NONE }: Snapshot): Page => {
  const nameOf = namingOf(metrics);
  const groups = new Map<string, Group>();
  let leftOut = 0;

  const add = (context: Context, target: object, labels: string) => (sample: Sample) => {
    const shown = nameOf(context, sample);
    let group = groups.get(shown.name);
    if (group === undefined) groups.set(shown.name, (group = { shown, lines: [], last: undefined }));
    const number = shown.isText ? '1' : numberText(sample.value, shown.factor);
    if (number === undefined || group.last === target) {
      leftOut += 1;
      return;
    }
    group.last = target;
    const value = shown.isText ? `value="${labelValue(sample.value)}"` : '';
    const all = labels === '' || value === '' ? labels + value : `${labels},${value}`;
    group.lines.push(`${shown.name}${all === '' ? '' : `{${all}}`} ${number}\n`);
  };

  host.forEach(add('host', host, ''));
  for (const { domain, samples } of guests) {
    samples.forEach(add('vm', domain, `domain="${labelValue(domain.name)}",uuid="${labelValue(domain.uuid)}"`));
  }
  const parts: string[] = [];
  for (const { shown, lines } of groups.values()) {
    if (lines.length > 0) parts.push(headText(shown), ...lines);
  }
  return { text: parts.join(''), leftOut };
};
