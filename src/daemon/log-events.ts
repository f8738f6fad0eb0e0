import { filter, groupBy, ignoreElements, merge, mergeMap, type Observable, takeUntil, tap } from 'rxjs';

import type { ConfiguredSink } from '../sinks/index.ts';
import { type DaemonEvent, isOf, type Reload, type Setup } from './events.ts';
import type { LogOptions } from './log-changes.ts';
import { logLink } from './log-link.ts';
import { logReports } from './log-sinks.ts';

interface EventLogOptions extends LogOptions {
  /** URI of libvirt; undefined for libvirt's default. */
  readonly connect?: string;
  /** The configuration file. */
  readonly file: string;
}

const logReload = (reload: Reload, { log, file }: EventLogOptions): void => {
  if (reload.kind === 'refused') log('err', 'configuration', 'Not reloaded: the former configuration stays in force');
  if (reload.kind === 'loaded') log('notice', 'configuration', `Reloading ${file}`);
};

/** Logs the events of the daemon. Delayed lines of a sink are dropped when it is closed. */
export const logEvents =
  (options: EventLogOptions) =>
  (event$: Observable<DaemonEvent>): Observable<never> => {
    const { log, connect } = options;
    const publishedBy$ = (isOne: (setup: Setup) => boolean): Observable<DaemonEvent> =>
      event$.pipe(filter((event) => event.kind === 'published' && isOne(event.setup)));
    const closed$ = ({ key }: ConfiguredSink): Observable<DaemonEvent> =>
      publishedBy$(({ sinks }) => sinks.every((sink) => sink.key !== key));
    const replaced$ = (by: Setup): Observable<DaemonEvent> => publishedBy$((setup) => setup !== by);
    const report$ = event$.pipe(
      filter(isOf('report')),
      groupBy(({ sink }) => sink, { element: ({ report }) => report, duration: ({ key }) => closed$(key) }),
      mergeMap((of$) => of$.pipe(logReports(of$.key.name, options), takeUntil(closed$(of$.key)))),
    );
    // Per configuration: a reload opens its own connection, and logs it.
    const link$ = event$.pipe(
      filter(isOf('linked')),
      groupBy(({ setup }) => setup, { element: ({ link }) => link, duration: ({ key }) => replaced$(key) }),
      mergeMap((of$) => of$.pipe(logLink(connect, options), takeUntil(replaced$(of$.key)))),
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
