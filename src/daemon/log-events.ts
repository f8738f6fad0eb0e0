import { filter, groupBy, ignoreElements, merge, mergeMap, type Observable, takeUntil, tap } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Log } from '../system/log.ts';
import type { ConfiguredSink } from '../sinks/index.ts';
import { type DaemonEvent, isOf, type Reload, type Setup } from './events.ts';
import { logLink } from './log-link.ts';
import { logReports } from './log-sinks.ts';

interface LogOptions {
  readonly log: Log;
  readonly scheduler: SchedulerLike;
  /** URI of libvirt; undefined: libvirt's own default. */
  readonly uri?: string;
  /** The configuration file. */
  readonly file: string;
}

const logReload = (reload: Reload, { log, file }: LogOptions): void => {
  if (reload.kind === 'refused') log('err', 'configuration', 'Not reloaded: the former configuration stays in force');
  if (reload.kind === 'loaded') log('notice', 'configuration', `Reloading ${file}`);
};

/** Logs the events of the daemon. Lines of a sink that are still held back are dropped when it is closed. */
export const logEvents =
  (options: LogOptions) =>
  (event$: Observable<DaemonEvent>): Observable<never> => {
    const { log, uri } = options;
    const closed$ = ({ key }: ConfiguredSink): Observable<DaemonEvent> =>
      event$.pipe(
        filter(isOf('published')),
        filter(({ setup }) => setup.sinks.every((sink) => sink.key !== key)),
      );
    const report$ = event$.pipe(
      filter(isOf('report')),
      groupBy(({ sink }) => sink, { element: ({ report }) => report, duration: ({ key }) => closed$(key) }),
      mergeMap((of$) => of$.pipe(logReports(of$.key.name, options), takeUntil(closed$(of$.key)))),
    );
    const replaced$ = (by: Setup): Observable<DaemonEvent> =>
      event$.pipe(
        filter(isOf('published')),
        filter(({ setup }) => setup !== by),
      );
    // Of each configuration by itself: a reload opens a connection of its own, and logs it.
    const link$ = event$.pipe(
      filter(isOf('linked')),
      groupBy(({ setup }) => setup, { element: ({ link }) => link, duration: ({ key }) => replaced$(key) }),
      mergeMap((of$) => of$.pipe(logLink(uri, options), takeUntil(replaced$(of$.key)))),
    );
    const other$ = event$.pipe(
      tap((event) => {
        if (event.kind === 'note') log('notice', 'metrics', event.message);
        if (event.kind === 'missing') log(event.line.level, 'metrics', event.line.message);
        if (event.kind === 'reload') logReload(event.reload, options);
      }),
    );
    return merge(report$, link$, other$).pipe(ignoreElements());
  };
