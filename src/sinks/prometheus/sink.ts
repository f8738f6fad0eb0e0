import {
  BehaviorSubject,
  defer,
  finalize,
  map,
  merge,
  NEVER,
  type Observable,
  of,
  type SchedulerLike,
  Subject,
} from 'rxjs';

import type { Family } from '../../model/metric-family.ts';
import type { Snapshot } from '../../model/metric.ts';
import type { Listening } from '../../system/unix-socket.ts';
import { defineSink, type SinkContext } from '../definition.ts';
import { deliverLatest } from '../delivery.ts';
import type { Backoff } from '../../rx/retry-with-backoff.ts';
import type { Sink, SinkReport, Writer } from '../sink.ts';
import { answers } from './rendered-pages.ts';
import { type Address, addressOf, hostText, isLocal, LISTEN, listening$ } from './listen.ts';
import { pageServer } from './server.ts';

export interface PrometheusOptions {
  readonly address: Address;
  /** Path of the page, such as `/metrics`. */
  readonly path: string;
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
  /** Returns the daemon's own figures for the same page. */
  readonly telemetry?: () => readonly Family[];
}

const placeOf = (address: Address, path: string): string => {
  if (address.kind === 'unix') return `${address.path} (a unix socket), path ${path}`;
  return `http://${hostText(address)}:${address.port}${path}`;
};

/** Serves the newest snapshot to Prometheus. A scrape collects nothing and waits for nothing. */
export const prometheus = ({ address, path, telemetry = () => [], ...options }: PrometheusOptions): Sink => {
  const place = placeOf(address, path);
  const open$ = defer(() => {
    const lost$ = new Subject<never>();
    const newest$ = new BehaviorSubject<Snapshot | undefined>(undefined);
    const render = answers({ newest: () => newest$.value, telemetry, now: () => options.scheduler.now() });
    const { server, closeAll } = pageServer({ path, render });
    const write = ({ lost }: Listening, snapshot: Snapshot): Observable<SinkReport> => {
      const reason = lost();
      if (reason !== undefined) {
        lost$.error(new Error(reason));
        return NEVER;
      }
      newest$.next(snapshot);
      return of({ kind: 'written', snapshot, message: `Available at ${place}` });
    };
    const warning = isLocal(address) ? '' : '; everyone who can reach this address can read them';
    return merge(
      lost$,
      listening$(server, address).pipe(
        map((listening): Writer => ({
          opened: `Metrics are served at ${place}${warning}`,
          write$: (snapshot) => defer(() => write(listening, snapshot)),
        })),
      ),
    ).pipe(finalize(closeAll));
  });
  return deliverLatest('prometheus', open$, options);
};

/** Services of the daemon for this sink besides those for every sink. */
export interface PrometheusContext extends SinkContext {
  readonly telemetry?: () => readonly Family[];
}

/** `<sink type="prometheus">` */
export const prometheusDefinition = defineSink({
  name: 'prometheus',
  options: {
    listen: {
      type: 'text',
      default: '127.0.0.1:9177',
      check: (text) => (addressOf(text) === undefined ? LISTEN : undefined),
    },
    path: {
      type: 'text',
      default: '/metrics',
      check: (text) => (/^\/[\w./~-]*$/.test(text) ? undefined : 'a path like /metrics'),
    },
  },
  make: ({ listen, path }, { scheduler, telemetry }: PrometheusContext) => {
    const address = addressOf(listen);
    if (address === undefined) throw new Error(`no address: ${listen}`);
    return prometheus({ address, path, scheduler, ...(telemetry === undefined ? {} : { telemetry }) });
  },
});
