import type { Domain } from '../../../src/model/metric.ts';
import type { Verdict } from '../../../src/model/verdict.ts';
import type { Observation } from '../../../src/cli/why/observation.ts';
import { CAUSES } from '../../../src/verdict/causes.ts';

export const domain = (name: string, id = 1): Domain => ({
  uuid: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
  id,
  name,
});

const VERDICT: Verdict = { seconds: 5, findings: [], unseen: [], measured: {} };

/** Text of values by their names. */
type Values = Readonly<Record<string, number | string>>;
const valuesOf = (values: Values): ReadonlyMap<string, string> =>
  new Map(Object.entries(values).map(([name, value]) => [name, String(value)]));

/** An observation of five seconds: `before` and `now` are values of the domain. */
export const seen = (
  name: string,
  {
    verdict = {},
    before = {},
    now = {},
    host = [{}, {}],
    ...more
  }: {
    readonly verdict?: Partial<Verdict>;
    readonly before?: Values;
    readonly now?: Values;
    readonly host?: readonly [before: Values, now: Values];
  } & Partial<Pick<Observation, 'domain' | 'missing' | 'cpu'>> = {},
): Observation => {
  const all = { ...VERDICT, ...verdict };
  return {
    domain: domain(name),
    missing: new Map(),
    cpu: [],
    ...more,
    verdict: all,
    blind: all.unseen.length === CAUSES.length,
    before: valuesOf(before),
    now: valuesOf({ 'contention.time': 5e9, ...now }),
    host: { before: valuesOf(host[0]), now: valuesOf(host[1]) },
  };
};

/** A finding with one quantity. */
export const found = (
  cause: Verdict['findings'][number]['cause'],
  name: string,
  value: number,
  threshold: number,
  unit: '%' | 'ms' = '%',
): Verdict['findings'][number] => ({ cause, evidence: [{ name, value, unit, threshold }] });
