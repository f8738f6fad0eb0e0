import type { CauseName, Finding, Measured, Verdict } from '../model/verdict.ts';
import { type Cause, CAUSES, type Condition } from './causes.ts';
import { EVIDENCE, type Evidence, type EvidenceName } from './evidence.ts';

/** Values of a VM at one moment, by the names of the statistics and in their units. */
export type Reading = ReadonlyMap<string, number>;

/** The statistics that the table needs. */
export const STATISTICS_NEEDED: readonly string[] = [
  ...new Set(
    Object.values<Evidence>(EVIDENCE).flatMap(({ plus, minus, of, each }) => [
      ...plus,
      ...minus,
      ...of,
      ...(each === undefined ? [] : [each]),
    ]),
  ),
];

const CLOCK = 'contention.time';

// A counter that has fallen has restarted, so nothing is known of this interval.
const growth = (before: Reading, now: Reading, name: string): number | undefined => {
  const [from, to] = [before.get(name), now.get(name)];
  return from === undefined || to === undefined || to < from ? undefined : to - from;
};

const sum = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce<number | undefined>((all, one) => (all === undefined || one === undefined ? undefined : all + one), 0);

const measure = (
  { plus, minus, of, each, factor, enough, unit }: Evidence,
  before: Reading,
  now: Reading,
): number | undefined => {
  if (of.length === 0) {
    const current = sum(plus.map((name) => now.get(name)));
    return current === undefined ? undefined : current * factor;
  }
  const whole = sum(of.map((name) => growth(before, now, name)));
  const part = sum(plus.map((name) => growth(before, now, name)));
  const times = each === undefined ? 1 : now.get(each);
  if (whole === undefined || part === undefined || times === undefined || whole < enough || times <= 0)
    return undefined;
  const less = minus.reduce((all, name) => all + (growth(before, now, name) ?? 0), 0);
  const value = (Math.max(0, part - less) / (whole * times)) * factor;
  return unit === '%' ? Math.min(100, value) : value;
};

type Judgement = Finding | 'no' | 'unseen';

const judged = ({ name, when }: Cause, measured: Readonly<Partial<Record<EvidenceName, number>>>): Judgement => {
  const evidence: Measured[] = [];
  let unseen = false;
  for (const { evidence: which, atLeast, atMost, ifAbsent } of when satisfies readonly Condition[]) {
    const value = measured[which];
    if (value === undefined) {
      if (ifAbsent === 'no') return 'no';
      if (ifAbsent === 'unseen') unseen = true;
      continue;
    }
    if (value < (atLeast ?? -Infinity) || value > (atMost ?? Infinity)) return 'no';
    const threshold = atLeast ?? atMost ?? 0;
    const { unit } = EVIDENCE[which];
    evidence.push({ name: which, value, unit, threshold, ...(atMost === undefined ? {} : { atMost: true }) });
  }
  return unseen ? 'unseen' : { cause: name, evidence };
};

/**
 * Judges what the host did to a VM between two readings. Undefined if they show no time between them: the same
 * reading, another run of the VM, or a VM without the statistics.
 */
export const judge = (before: Reading, now: Reading): Verdict | undefined => {
  const time = growth(before, now, CLOCK);
  if (time === undefined || time === 0) return undefined;
  const measured: Partial<Record<EvidenceName, number>> = {};
  for (const name of Object.keys(EVIDENCE) as readonly EvidenceName[]) {
    const value = measure(EVIDENCE[name], before, now);
    if (value !== undefined) measured[name] = value;
  }
  const findings: Finding[] = [];
  const unseen: CauseName[] = [];
  for (const cause of CAUSES) {
    const result = judged(cause, measured);
    if (result === 'unseen') unseen.push(cause.name);
    else if (result !== 'no') findings.push(result);
  }
  return { seconds: time / 1e9, findings, unseen, measured };
};
