import type { Domain, DomainMetrics, LateValue, MissingValue, Snapshot } from '../model/metric.ts';
import { byRun, itemOf, lookup, ofDomain, withChanges } from '../model/run-order.ts';
import { type Due, type Entry, entryOf, keepsLate, type State } from './snapshot-state.ts';

interface Rows {
  readonly domainMetrics: readonly DomainMetrics[];
  readonly missing: readonly MissingValue[];
  readonly late: readonly LateValue[];
}

// `shownOf`: what the last snapshot has of a domain.
const rowsOf = (
  entries: readonly Entry[],
  tick: number,
  keeps: boolean,
  shownOf: (domain: Domain) => DomainMetrics | undefined,
): Rows => {
  const domainMetrics: DomainMetrics[] = [];
  const missing: MissingValue[] = [];
  const late: LateValue[] = [];
  for (const { domain, values: latest, published } of entries) {
    if (!published) continue;
    const view = latest.view(tick, keeps);
    const { samples } = view;
    const old = shownOf(domain);
    const isSame = old?.domain === domain && old.samples === samples;
    if (samples.length > 0) domainMetrics.push(isSame ? old : { domain, samples });
    for (const problem of view.missing) missing.push({ ...problem, domain });
    for (const value of view.late) late.push({ ...value, domain });
  }
  return { domainMetrics, missing, late };
};

const hasProblems = ({ missing, late = [] }: Pick<Snapshot, 'missing' | 'late'>): boolean =>
  missing.length > 0 || late.length > 0;

// Looks only at what has changed, because one domain of ten thousand may have. Problems are listed anew.
const currentRows = (state: State, before: Snapshot | undefined): Rows => {
  const { tick, entries, changes } = state;
  const keeps = keepsLate(state);
  const shown = before?.domainMetrics ?? [];
  if (before !== undefined && !changes.all && !hasProblems(before)) {
    const all = [...changes.domains].sort(byRun);
    // A domain that resumed is there twice.
    const changed = all.filter((domain, at) => at === 0 || byRun(domain, all[at - 1] ?? domain) !== 0);
    const some = rowsOf(
      changed.flatMap((domain) => entryOf(state, domain) ?? []),
      tick,
      keeps,
      (domain) => itemOf(shown, ofDomain, domain),
    );
    if (!hasProblems(some))
      return { ...some, domainMetrics: withChanges(shown, ofDomain, changed, some.domainMetrics) };
  }
  return rowsOf(entries, tick, keeps, lookup(shown, ofDomain));
};

/** Builds the current snapshot. Unchanged parts keep their objects from the last one. */
export const snapshotOf = (state: State, { cause, at }: Due, before: Snapshot | undefined): Snapshot => {
  const { host, tick, inventory, changes } = state;
  const hostView = host.view(tick, true);
  const rows = currentRows(state, before);
  changes.all = false;
  changes.domains.clear();
  const late = [...hostView.late, ...rows.late];
  return {
    cause,
    tick,
    at,
    host: hostView.samples,
    domainMetrics: rows.domainMetrics,
    missing: [...hostView.missing, ...rows.missing],
    ...(late.length === 0 ? {} : { late }),
    ...(inventory.known === undefined ? {} : { domains: inventory.known }),
  };
};
