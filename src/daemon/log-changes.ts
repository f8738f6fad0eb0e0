import { connect, filter, ignoreElements, map, merge, type MonoTypeOperatorFunction, tap } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Level, Log } from '../system/log.ts';
import { counted } from '../model/duration.ts';
import { type Change, paced } from '../rx/paced.ts';

/** Where lines go, and by which clock they are paced. */
export interface LogOptions {
  readonly log: Log;
  readonly scheduler: SchedulerLike;
}

/** A change with its line, or its lines. */
export interface LoggedChange extends Change {
  readonly level: Level;
  readonly component: string;
  readonly messages: readonly [string, ...(readonly string[])];
}

/** Logs the changes that values bring, `paced`, so that what fails and works in turns does not fill the log. Values do not wait. */
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
