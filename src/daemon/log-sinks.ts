import {
  connect,
  filter,
  ignoreElements,
  merge,
  type MonoTypeOperatorFunction,
  pairwise,
  scan,
  startWith,
  tap,
  timestamp,
  type Timestamp,
} from 'rxjs';

import { logChanges, type LoggedChange, type LogOptions } from './log-changes.ts';
import type { SinkReport } from '../sinks/sink.ts';

/** Start of the sink's failure, and the change that its latest report causes. */
interface Failing {
  readonly since: number | undefined;
  readonly change?: LoggedChange;
}

const nextFailing =
  (component: string) =>
  ({ since }: Failing, { value: report, timestamp: now }: Timestamp<SinkReport>): Failing => {
    const { kind, message } = report;
    if (kind === 'opened')
      return { since, change: { kind, detail: message, level: 'info', component, messages: [message] } };
    if (kind === 'failed') {
      const failed = `failed ${report.stage}`;
      const change: LoggedChange = { kind: failed, detail: message, level: 'err', component, messages: [message] };
      return { since: since ?? now, change };
    }
    if (kind === 'warning' || since === undefined) return { since };
    const after = `Recovered after ${((now - since) / 1000).toFixed(1)} s`;
    return { since: undefined, change: { kind: 'works', detail: '', level: 'notice', component, messages: [after] } };
  };

// Message of a sink that has written nothing.
const idleOf = (report: SinkReport | undefined): string =>
  report?.kind === 'written' && (report.bytes ?? 0) === 0 ? report.message : '';

/** Logs the reports of one sink, and its recovery after a failure. */
export const logReports = (component: string, options: LogOptions): MonoTypeOperatorFunction<SinkReport> => {
  const { log, scheduler } = options;
  return connect((report$) => {
    const warning$ = report$.pipe(
      filter(({ kind }) => kind === 'warning'),
      tap(({ message }) => log('warning', component, message)),
    );
    const written$ = report$.pipe(
      filter(({ kind }) => kind !== 'warning'),
      startWith(undefined),
      pairwise(),
      tap(([before, report]) => {
        // A report that nothing was written is logged when it changes, not at each snapshot.
        if (report?.kind === 'written' && (idleOf(report) === '' || idleOf(report) !== idleOf(before)))
          log('debug', component, `${report.message}, ${(scheduler.now() - report.snapshot.at).toFixed(1)} ms`);
      }),
    );
    const change$ = report$.pipe(
      timestamp(scheduler),
      scan(nextFailing(component), { since: undefined }),
      logChanges(({ change }) => change, options),
    );
    return merge(merge(warning$, written$, change$).pipe(ignoreElements()), report$);
  });
};
