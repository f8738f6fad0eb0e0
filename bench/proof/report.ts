import { CAUSES } from '../../src/verdict/causes.ts';
import { EVIDENCE, type EvidenceName } from '../../src/verdict/evidence.ts';
import type { Injection } from './injections.ts';

/** One answer of \`vhostmd why\` while something was injected. */
export interface Run {
  readonly injection: Injection;
  /** First cause. */
  readonly cause: string;
  /** Further causes. */
  readonly also: readonly string[];
  readonly measured: Readonly<Record<string, number>>;
  readonly tries: number;
}

const GOAL = 0.95;
const NAMES: readonly string[] = [...CAUSES.map(({ name }) => name), 'none'];

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const median = (values: readonly number[]): number | undefined => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
};

const evidenceOf = (cause: string, runs: readonly Run[]): string => {
  const conditions = CAUSES.find(({ name }) => name === cause)?.when ?? [];
  return conditions
    .map(({ evidence }: { readonly evidence: EvidenceName }) => {
      const value = median(runs.flatMap(({ measured }) => measured[evidence] ?? []));
      return value === undefined ? '' : `${evidence} ${value.toFixed(value < 10 ? 1 : 0)} ${EVIDENCE[evidence].unit}`;
    })
    .filter(Boolean)
    .join(', ');
};

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** Returns the confusion matrix in Markdown, and whether the goals are reached. */
export const proofOf = (
  runs: readonly Run[],
  about: string,
): { readonly text: string; readonly isReached: boolean } => {
  const injected = NAMES.filter((name) => runs.some(({ injection }) => injection.cause === name));
  const answers = [...NAMES, 'unknown'].filter((name) => runs.some(({ cause }) => cause === name));
  const of = (name: string): readonly Run[] => runs.filter(({ injection }) => injection.cause === name);
  const slow = runs.filter(({ injection }) => injection.cause !== 'none');
  const right = slow.filter(({ injection, cause }) => cause === injection.cause).length;
  const accused = of('none').filter(({ cause }) => cause !== 'none').length;
  const repeated = runs.reduce((sum, { tries }) => sum + tries - 1, 0);
  const ways = [...new Set(runs.map(({ injection }) => injection))].toSorted(
    (a, b) => NAMES.indexOf(a.cause) - NAMES.indexOf(b.cause),
  );
  const text = [
    `From \`npm run why:proof -- --write\`: ${runs.length} runs.`,
    `${about}.`,
    'A real VM (one virtual CPU, Linux) was made slow in a known way, in a random order, and `vhostmd why` looked at it for',
    '5 s. The thresholds are those of the table above; they were fixed before.',
    ...(repeated === 0
      ? []
      : [`Other programs used more than half a CPU in ${repeated} further runs, which were repeated.`]),
    '',
    `**First cause right: ${right} of ${slow.length} (${slow.length === 0 ? '-' : percent(right, slow.length)}; goal 95 %). ` +
      `Accusations while nothing was wrong: ${accused} of ${of('none').length} (goal 0).**`,
    '',
    row(['injected', ...answers.map((name) => `\`${name}\``), 'median evidence']),
    row(Array.from({ length: answers.length + 2 }, () => '---')),
    ...injected.map((name) =>
      row([
        `\`${name}\``,
        ...answers.map((answer) => String(of(name).filter(({ cause }) => cause === answer).length || '')),
        evidenceOf(name, of(name)),
      ]),
    ),
    '',
    'What was injected:',
    '',
    ...ways.map(
      (way) => `- \`${way.cause}\`: ${way.how}; ${runs.filter(({ injection }) => injection === way).length} runs`,
    ),
    '',
    'Not injected: quotas of cgroup v2, where the kernel of the machine has these controllers in version 1 only, and a',
    'migration between two hosts. Tests with recorded files cover the first, a test between two libvirtds on one host the',
    'second.',
  ].join('\n');
  return { text, isReached: accused === 0 && right >= GOAL * slow.length };
};

const [BEGIN, END] = ['<!-- proof -->', '<!-- end of the proof -->'];

/** Puts the proof between its markers in a page. */
export const withProof = (page: string, text: string): string => {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/why.md has no ${BEGIN} and ${END}`);
  return `${page.slice(0, begin)}${BEGIN}\n${text}\n${page.slice(end)}`;
};
