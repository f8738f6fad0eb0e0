import { filter, map, type OperatorFunction, scan, take } from 'rxjs';

import { type DaemonEvent, type EventOf, isOf, requiredOf, type Setup } from './events.ts';

/** Result of a start. `failed`: a required sink cannot open its target. */
export type Started = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly reason: string };

interface Starting {
  /** Keys of the required sinks that have not written yet. */
  readonly waitFor: ReadonlySet<string>;
  readonly failed?: string;
}

const next = ({ waitFor }: Starting, { sink, report }: EventOf<'report'>): Starting => {
  if (report.kind === 'failed' && report.stage === 'open' && sink.required) return { waitFor, failed: report.message };
  return report.kind === 'written' ? { waitFor: new Set([...waitFor].filter((key) => key !== sink.key)) } : { waitFor };
};

/** Emits once: when every required sink of the first configuration has written, or one cannot open its target. */
export const started =
  (setup: Setup): OperatorFunction<DaemonEvent, Started> =>
  (event$) =>
    event$.pipe(
      filter(isOf('report')),
      filter(({ report }) => report.kind === 'written' || report.kind === 'failed'),
      scan(next, { waitFor: new Set(requiredOf(setup)) } as Starting),
      filter(({ waitFor, failed }) => failed !== undefined || waitFor.size === 0),
      take(1),
      map(({ failed }): Started => (failed === undefined ? { kind: 'ready' } : { kind: 'failed', reason: failed })),
    );
