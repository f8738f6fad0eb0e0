import { connect, filter, ignoreElements, map, merge, type MonoTypeOperatorFunction, tap } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Log } from '../system/log.ts';
import type { Level } from '../system/syslog.ts';
import { counted } from '../model/duration.ts';
import { type Change, paced } from '../rx/paced.ts';

/** The log, and the clock of its rate limits. */
export interface LogOptions {
  readonly log: Log;
  readonly scheduler: SchedulerLike;
}

/** A change with its lines. */
export interface LoggedChange extends Change {
  readonly level: Level;
  readonly component: string;
  readonly messages: readonly [string, ...(readonly string[])];
}

/** Logs the changes that values cause, rate-limited by `paced`: flapping would fill the log. Delays no value. */
export const logChanges = <T>(
  changeOf: (value: T) => LoggedChange | undefined,
  { log, scheduler }: LogOptions,
): MonoTypeOperatorFunction<T> =>
  connect((value$) =>
    merge(
      value$.pipe(
        map(changeOf),
        filter((change) => change !== undefined),
        paced(scheduler),
        tap(({ change: { level, component, messages }, missed }) => {
          const [first, ...rest] = messages;
          const left = missed === 0 ? '' : ` (${counted(missed, 'change')} before it not logged)`;
          for (const message of [`${first}${left}`, ...rest]) log(level, component, message);
        }),
        ignoreElements(),
      ),
      value$,
    ),
  );
