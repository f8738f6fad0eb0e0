import { concatMap, defer, type Observable } from 'rxjs';

import type { MetricDefinition, Outcome, Problem, Snapshot } from './metric.ts';
import { escapeForLog } from './value.ts';

/** A line about metrics that have lost their value, or have it again. */
export interface ProblemLine {
  readonly level: 'warning' | 'info';
  readonly message: string;
}

// So many domains are named when the same metric fails for all of them at once.
const NAMED = 3;

const keyOf = ({ metric, domain }: Problem): string => `${metric.index}/${domain?.uuid ?? ''}`;

const who = (problems: readonly Problem[]): string => {
  const names = problems.flatMap(({ domain }) => (domain === undefined ? [] : [`"${escapeForLog(domain.name, 64)}"`]));
  if (names.length === 0) return 'the host';
  const rest = names.length - NAMED;
  return `${names.length > 1 ? 'the domains' : 'the domain'} ${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
};

const byMetric = (problems: readonly Problem[]): readonly (readonly Problem[])[] => {
  const groups = new Map<number, Problem[]>();
  for (const problem of problems) {
    const group = groups.get(problem.metric.index);
    if (group === undefined) groups.set(problem.metric.index, [problem]);
    else group.push(problem);
  }
  return [...groups.values()];
};

/** The note of an outcome as a line, the first time that the metric has one; undefined otherwise. */
export const noteLines = (): ((metric: MetricDefinition, outcome: Outcome) => string | undefined) => {
  const noted = new Set<number>();
  return ({ index, name, place: { file, line } }, outcome) => {
    if (!outcome.ok || outcome.note === undefined || noted.has(index)) return undefined;
    noted.add(index);
    return `"${name}" (${file}:${line}): its action ${outcome.note}`;
  };
};

/** Says each loss and each return of a value once, not at every tick; those of one metric in one line. */
export const problemLines$ = (snapshot$: Observable<Snapshot>): Observable<ProblemLine> =>
  defer(() => {
    let before: ReadonlyMap<string, Problem> = new Map();
    return snapshot$.pipe(
      concatMap(({ problems, guests }): readonly ProblemLine[] => {
        if (problems.length === 0 && before.size === 0) return [];
        const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
        const running = new Set(guests.map(({ domain }) => domain.uuid));
        const lost = [...now].filter(([key]) => !before.has(key)).map(([, problem]) => problem);
        const back = [...before]
          .filter(([key]) => !now.has(key))
          .map(([, problem]) => problem)
          .filter(({ domain }) => domain === undefined || running.has(domain.uuid));
        before = now;
        return [
          ...byMetric(lost).map((group): ProblemLine => {
            const [first] = group as readonly [Problem];
            const { file, line } = first.metric.place;
            return {
              level: 'warning',
              message: `"${first.metric.name}" (${file}:${line}) is left out for ${who(group)}: ${first.reason}`,
            };
          }),
          ...byMetric(back).map((group): ProblemLine => {
            const [first] = group as readonly [Problem];
            return { level: 'info', message: `"${first.metric.name}" is back for ${who(group)}` };
          }),
        ];
      }),
    );
  });
