import { asciiJson } from '../../daemon/status/text.ts';
import type { Definition } from './definition.ts';
import { dataOf } from './json.ts';
import { list, ordered } from './list.ts';
import { firstCauseOf, type Observation } from './observation.ts';
import { headline, report } from './report.ts';

/** What is printed: one domain or all, once or again and again, as text or JSON. */
export interface Form {
  /** That of the one domain; undefined for all domains. */
  readonly definition: Definition | undefined;
  readonly json: boolean;
  readonly watch: boolean;
}

const NO_VM = 'No VM runs.';

const json = (all: readonly Observation[], { definition, watch }: Form): string => {
  const data = ordered(all).map((seen) => dataOf(seen, definition));
  return asciiJson(definition === undefined ? data : data[0], watch ? 0 : 2);
};

/** Returns the lines of one look. */
export const linesOf = (all: readonly Observation[], form: Form): readonly string[] => {
  const { definition } = form;
  if (form.json) return json(all, form).split('\n');
  if (definition === undefined) return all.length === 0 ? [NO_VM] : list(all);
  return all.slice(0, 1).flatMap((seen) => report(seen, definition));
};

/** Domains whose cause was printed last. */
export type Shown = ReadonlyMap<string, string>;

/**
 * Returns the lines of a log, each with its time: one domain at each look; of all domains those with a cause, and those
 * whose cause has changed. `shown`: what the lines before have said.
 */
export const logLines = (
  all: readonly Observation[],
  form: Form,
  shown: Shown,
  time: string,
): { readonly lines: readonly string[]; readonly shown: Shown } => {
  const now = new Map(all.map((seen) => [seen.domain.uuid, firstCauseOf(seen)]));
  if (form.json) return { lines: [json(all, form)], shown: now };
  if (form.definition !== undefined)
    return { lines: all.slice(0, 1).map((seen) => `${time} ${headline(seen)}`), shown: now };
  const some = all.filter(
    (seen) => seen.verdict.findings.length > 0 || shown.get(seen.domain.uuid) !== firstCauseOf(seen),
  );
  return { lines: list(some).map((line) => `${time} ${line}`), shown: now };
};
