import { concatMap, defer, type Observable } from 'rxjs';

import type { Domain, MetricDefinition, Outcome, Snapshot } from '../model/metric.ts';
import { PAUSE } from '../rx/paced.ts';
import { KEPT_PERIODS } from '../streams/latest-values.ts';
import { escapeForLog } from '../model/value.ts';

/** A line about metrics that have lost or regained their values. */
export interface MissingLine {
  readonly level: 'warning' | 'info';
  readonly message: string;
}

// Most domains named in one line when the same metric fails for several.
const NAMED = 3;
// Most lines per snapshot: a fault that all metrics share must not flood the log.
const MOST_LINES = 20;

const who = (faults: readonly Fault[]): string => {
  const names = faults.flatMap(({ domain }) => (domain === undefined ? [] : [`"${escapeForLog(domain.name, 64)}"`]));
  if (names.length === 0) return 'the host';
  const rest = names.length - NAMED;
  return `${names.length > 1 ? 'the domains' : 'the domain'} ${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
};

/** Makes a function that returns the note of an outcome as a line, for the first note of each metric only. */
export const noteLines = (): ((metric: MetricDefinition, outcome: Outcome) => string | undefined) => {
  const noted = new Set<number>();
  return ({ index, name, place: { file, line } }, outcome) => {
    if (!outcome.ok || outcome.note === undefined || noted.has(index)) return undefined;
    noted.add(index);
    return `"${name}" (${file}:${line}): its action ${outcome.note}`;
  };
};

/** A metric without a value, or with a late one. */
interface Fault {
  readonly metric: MetricDefinition;
  readonly domain?: Domain;
  /** Undefined for a late value, which is still published. */
  readonly reason?: string;
}

/** Logged faults of one metric by domain, and the time of its last line. */
interface Logged {
  readonly faults: Map<string, Fault>;
  at: number;
}

const faultsOf = ({ missing, late = [] }: Snapshot): readonly Fault[] => [...missing, ...late];

const byMetric = (faults: readonly Fault[]): ReadonlyMap<number, Map<string, Fault>> => {
  const groups = new Map<number, Map<string, Fault>>();
  for (const fault of faults) {
    const group = groups.get(fault.metric.index) ?? new Map<string, Fault>();
    groups.set(fault.metric.index, group.set(fault.domain?.uuid ?? '', fault));
  }
  return groups;
};

const NOTHING: ReadonlyMap<string, Fault> = new Map();

const isSame = (one: Fault | undefined, other: Fault): boolean =>
  one !== undefined && (one.reason === undefined) === (other.reason === undefined);

/** Returns the line about a metric that is due now, if any, and records it in `logged`. */
const lineOf = (logged: Logged, now: ReadonlyMap<string, Fault>): MissingLine | undefined => {
  const news = [...now].filter(([key, fault]) => !isSame(logged.faults.get(key), fault));
  const missing = news.filter(([, { reason }]) => reason !== undefined);
  const about = missing.length > 0 ? missing : news;
  const [first] = about;
  if (first !== undefined) {
    for (const [key, fault] of about) logged.faults.set(key, fault);
    const [, { metric, reason }] = first;
    const what = `"${metric.name}" (${metric.place.file}:${metric.place.line})`;
    const whom = who(about.map(([, fault]) => fault));
    return {
      level: 'warning',
      message:
        reason === undefined
          ? `${what} keeps its last value for ${whom}: no new one for ${KEPT_PERIODS} periods`
          : `${what} has no value for ${whom}: ${reason}`,
    };
  }
  const back = [...logged.faults].filter(([key]) => !now.has(key));
  for (const [key] of back) logged.faults.delete(key);
  const faults = back.map(([, fault]) => fault);
  return faults[0] && { level: 'info', message: `"${faults[0].metric.name}" has a value again for ${who(faults)}` };
};

/**
 * Emits a line when values are lost or return, not at every tick: one line for all domains of a metric, and at most one
 * line per metric and minute.
 */
export const missingLines$ = (snapshot$: Observable<Snapshot>): Observable<MissingLine> =>
  defer(() => {
    const all = new Map<number, Logged>();
    return snapshot$.pipe(
      concatMap((snapshot): readonly MissingLine[] => {
        const now = byMetric(faultsOf(snapshot));
        if (now.size === 0 && all.size === 0) return [];
        const running = new Set(snapshot.domainMetrics.map(({ domain }) => domain.uuid));
        for (const index of now.keys()) {
          if (!all.has(index)) all.set(index, { faults: new Map(), at: -Infinity });
        }
        const lines: MissingLine[] = [];
        for (const [index, logged] of all) {
          const faults = now.get(index) ?? NOTHING;
          // When a domain ends, its values have not returned.
          for (const [key, { domain }] of logged.faults) {
            if (domain !== undefined && !running.has(key) && !faults.has(key)) logged.faults.delete(key);
          }
          if (snapshot.at - logged.at < PAUSE) continue;
          const line = lineOf(logged, faults);
          if (line === undefined) {
            if (logged.faults.size === 0 && faults.size === 0) all.delete(index);
            continue;
          }
          logged.at = snapshot.at;
          lines.push(line);
        }
        const rest = lines.length - MOST_LINES;
        if (rest <= 0) return lines;
        const message = `${rest} more metrics have lost or regained values: see vhostmd status`;
        return [...lines.slice(0, MOST_LINES), { level: 'warning', message }];
      }),
    );
  });
