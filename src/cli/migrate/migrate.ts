import type { Config, Diagnostic } from '../../config/config.ts';
import { parseConfig } from '../../config/parse.ts';
import type { MetricDefinition } from '../../model/metric.ts';
import { failure, type Result, success } from '../../model/result.ts';
import { escapeForLog } from '../../model/value.ts';
import { parseTree, type XmlElement } from '../../xml/element-tree.ts';
import { checkMarkup, HOLE } from '../../xml/markup.ts';
import { decodeBytes, placeAt } from '../../xml/positions.ts';
import { type Machine, recogniser, type Verdict, written } from './recognise.ts';

/** A line of the report about one action. */
interface Line extends Diagnostic {
  readonly replaced: boolean;
}

export interface Migrated {
  /** The file, in which each recognised `<action>` is a `<stat>`; all else is as it was, byte for byte. */
  readonly text: string;
  readonly report: readonly Line[];
}

/** Maps indexes of a source's text, without byte order mark and with \n at the end of lines, to those of the file. */
const rawIndexes = (raw: string): ((index: number) => number) => {
  const start = raw.startsWith('\uFEFF') ? 1 : 0;
  const pairs = [...raw.matchAll(/\r\n/g)].map(({ index }, before) => index - start - before);
  let passed = 0;
  return (index) => {
    while (passed < pairs.length && (pairs[passed] ?? index) < index) passed++;
    return index + start + passed;
  };
};

/** Comments inside an element: they stay in front of its replacement. */
const commentsIn = (element: XmlElement, markup: string, raw: string, rawIndex: (index: number) => number): string =>
  [...markup.slice(element.index, element.end).matchAll(new RegExp(`${HOLE}+`, 'g'))]
    .map(({ 0: { length }, index }) => {
      const start = element.index + index;
      return raw.slice(rawIndex(start), rawIndex(start + length));
    })
    .join('');

const tell = ({ name, context }: MetricDefinition, verdict: Verdict): string => {
  const what = `${escapeForLog(name, 64)} (${context})`;
  if ('reason' in verdict) return `${what} stays an action: ${escapeForLog(verdict.reason, 160)}`;
  const note = verdict.note === undefined ? '' : ` (${verdict.note})`;
  return `${what} is ${written(verdict.stat, verdict.scale)}${note}`;
};

/**
 * Rewrites a configuration file: a statistic in place of each action whose value the daemon can read itself. `file` is
 * for messages only. Runs nothing.
 */
export const migrate = (bytes: Uint8Array, file: string, machine: Machine): Result<Migrated, readonly Diagnostic[]> => {
  const config = parseConfig(bytes, file);
  return config.ok ? success(rewritten(bytes, config.value, machine)) : failure(config.error);
};

const rewritten = (bytes: Uint8Array, { file, metrics }: Config, machine: Machine): Migrated => {
  const raw = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const { source } = decodeBytes(file, bytes);
  const markup = checkMarkup(source.text).text;
  const rawIndex = rawIndexes(raw);
  const elements =
    parseTree(source)
      .children.find(({ name }) => name === 'metrics')
      ?.children.filter(({ name }) => name === 'metric') ?? [];
  const recognise = recogniser(machine);
  const known = new Map<string, Verdict>();
  const report: Line[] = [];
  let text = '';
  let copied = 0;
  for (const metric of metrics) {
    const action = elements[metric.index]?.children.find(({ name }) => name === 'action');
    if (action === undefined || metric.source.kind !== 'action') continue;
    const key = `${metric.context} ${metric.type} ${metric.source.command}`;
    const verdict = known.get(key) ?? recognise(metric);
    known.set(key, verdict);
    const replaced = 'stat' in verdict;
    report.push({ ...placeAt(source, action.index), message: tell(metric, verdict), replaced });
    if (!replaced) continue;
    const start = rawIndex(action.index);
    text += raw.slice(copied, start) + commentsIn(action, markup, raw, rawIndex) + written(verdict.stat, verdict.scale);
    copied = rawIndex(action.end);
  }
  return { text: text + raw.slice(copied), report };
};
