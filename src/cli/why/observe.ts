import {
  connect,
  filter,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  pairwise,
  type SchedulerLike,
  Subject,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs';

import { isOf } from '../../daemon/events.ts';
import { pipeline$ } from '../../daemon/topology.ts';
import type { Domain, Outcome, Reading, Snapshot } from '../../model/metric.ts';
import type { DomainCollector, Sources } from '../../sources/source.ts';
import { type Observation, observed } from './observation.ts';
import { type Devices, isOfAll, planOf } from './plan.ts';

/** What is looked at, and for how long. */
export interface Look {
  readonly connect: string | undefined;
  readonly seconds: number;
  /** The one domain, and its devices; undefined for all domains. */
  readonly target: { readonly uuid: string; readonly devices: Devices } | undefined;
  readonly scheduler: SchedulerLike;
}

/** The domains between two collections, or why there is nothing to see. */
export type Seen =
  | { readonly kind: 'observed'; readonly observations: readonly Observation[] }
  | { readonly kind: 'away'; readonly reason: string }
  | { readonly kind: 'ended' };

// Milliseconds: a busy host answers late, and nobody waits for one domain among many.
const PATIENCE = { one: 5000, all: 10_000 } as const;

const NOTHING: Outcome = { ok: true, samples: [] };

/**
 * Asks only the one domain for what needs an answer of its QEMU; another one may be frozen, and there may be many. The
 * others answer at once with nothing, so that nobody waits for them.
 */
export const limitedTo =
  (uuid: string) =>
  (collector: DomainCollector): DomainCollector => {
    const { metrics, collect$ } = collector;
    if (metrics.every(isOfAll)) return collector;
    const nothing = (domain: Domain): readonly Reading[] =>
      metrics.map((metric) => ({ metric, domain, outcome: NOTHING }));
    return {
      ...collector,
      collect$: (domains) => {
        const [asked, others] = [true, false].map((isAsked) =>
          domains.filter((domain) => (domain.uuid === uuid) === isAsked),
        );
        const others$ = of((others ?? []).flatMap(nothing));
        return asked === undefined || asked.length === 0 ? others$ : merge(others$, collect$(asked));
      },
    };
  };

const hasTime = ({ domainMetrics }: Snapshot): boolean =>
  domainMetrics.some(({ samples }) => samples.some(({ name }) => name === 'contention.time'));

/**
 * Collects again and again, and emits what each two consecutive collections show. The interval begins with the end of
 * the first collection, which takes long where libvirt is slow. Where no domain has the clock of the verdict, the first
 * collection is the answer.
 */
export const seen$ = ({ connect: uri, seconds, target, scheduler }: Look): Observable<Seen> => {
  const begin$ = new Subject<void>();
  const period = seconds * 1000;
  const again$ = begin$.pipe(
    take(1),
    switchMap(() => timer(period, period, scheduler)),
    map((tick) => tick + 1),
  );
  const watched = (sources: Sources): Sources => ({
    ...sources,
    tick$: merge(again$, of(0)),
    ...(target === undefined ? {} : { domainCollectors: sources.domainCollectors.map(limitedTo(target.uuid)) }),
  });
  const patience = PATIENCE[target === undefined ? 'all' : 'one'];
  const event$ = pipeline$(
    { config: planOf(seconds, target?.devices), sinks: [] },
    { ...(uri === undefined ? {} : { connect: uri }), scheduler, watched },
    { patience, start: patience },
  );
  const seenIn = (first: Snapshot, second: Snapshot): Seen => {
    const observations = observed(first, second, target?.uuid);
    return target !== undefined && observations.length === 0
      ? { kind: 'away', reason: 'it has no value of this domain in time' }
      : { kind: 'observed', observations };
  };
  const hasEnded = ({ domains }: Snapshot): boolean =>
    target !== undefined && !(domains ?? []).some(({ uuid, id }) => uuid === target.uuid && id !== undefined);
  return event$.pipe(
    connect((all$) => {
      const snapshot$ = all$.pipe(
        filter(isOf('published')),
        map(({ snapshot }) => snapshot),
      );
      const away$ = all$.pipe(
        filter(isOf('linked')),
        mergeMap(({ link }): readonly Seen[] => (link.up ? [] : [{ kind: 'away', reason: link.reason }])),
      );
      const ended$ = snapshot$.pipe(
        filter(hasEnded),
        map((): Seen => ({ kind: 'ended' })),
      );
      return merge(away$, ended$, pair$(snapshot$, begin$, seenIn));
    }),
  );
};

const pair$ = (
  snapshot$: Observable<Snapshot>,
  begin$: Subject<void>,
  seenIn: (first: Snapshot, second: Snapshot) => Seen,
): Observable<Seen> =>
  snapshot$.pipe(
    filter(({ cause }) => cause === 'tick'),
    connect((tick$) =>
      merge(
        tick$.pipe(
          pairwise(),
          map(([first, second]) => seenIn(first, second)),
        ),
        tick$.pipe(
          take(1),
          tap(() => begin$.next()),
          filter((first) => !hasTime(first)),
          map((first) => seenIn(first, first)),
        ),
      ),
    ),
  );
