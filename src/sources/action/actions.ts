import {
  asyncScheduler,
  defer,
  map,
  type Observable,
  of,
  ReplaySubject,
  type SchedulerLike,
  share,
  switchMap,
  tap,
} from 'rxjs';

import type { Outcome } from '../../model/metric.ts';
import type { ActionRequest } from '../source.ts';
import { readOutput } from './output.ts';
import { pool } from './pool.ts';
import { type Command, run$ } from './process.ts';
import type { Printed } from './results.ts';
import { environment, substitute } from './substitute.ts';

export interface ActionOptions {
  /** URI of -c. */
  readonly connect?: string | undefined;
  /** PATH of the actions. */
  readonly path: string;
  readonly maxParallel: number;
  /** Clock of the deadlines. */
  readonly scheduler?: SchedulerLike;
}

/**
 * Runs shell actions. Each request is cold, emits exactly one outcome, completes when its process is gone, and never
 * errors. Unsubscribing ends the process or leaves the queue. The deadline counts from the start of the process.
 * Simultaneous requests with the same text, environment and deadline share one run.
 */
export const actions = (options: ActionOptions): ((request: ActionRequest) => Observable<Outcome>) => {
  const { connect, path, maxParallel, scheduler = asyncScheduler } = options;
  const place$ = pool(maxParallel);
  const inFlight = new Map<string, Observable<Printed>>();

  const sharedRun$ = (command: Command, late: boolean): Observable<Printed> => {
    const key = JSON.stringify(command);
    const known$ = inFlight.get(key);
    if (known$ !== undefined) return known$;
    const forget = (): void => {
      if (inFlight.get(key) === new$) inFlight.delete(key);
    };
    const new$: Observable<Printed> = place$(late).pipe(
      switchMap((release) => run$(command, scheduler, release)),
      tap({ complete: forget, finalize: forget }),
      // With replay, because a run that no signal ends has its outcome before it completes.
      share({ connector: () => new ReplaySubject(1) }),
    );
    inFlight.set(key, new$);
    return new$;
  };

  return ({ metric, domain, late }) =>
    defer(() => {
      if (metric.source.kind !== 'action') return of<Outcome>({ ok: false, stage: 'start', reason: 'not an action' });
      const surroundings = { connect, path, domain: metric.context === 'vm' ? domain : undefined };
      const command = {
        text: substitute(metric.source.command, surroundings),
        env: environment(surroundings),
        timeout: metric.timeout,
      };
      return sharedRun$(command, late).pipe(
        map((printed) => (printed.ok ? readOutput(metric, printed.output) : printed)),
      );
    });
};
