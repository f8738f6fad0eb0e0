import { map, type Observable, Subject, tap } from 'rxjs';

import { LibvirtError, NO_DOMAIN } from './call.ts';
import type { Connection, DomainStats } from './types.ts';

// virterror.h: operation invalid; the error of calls that need a running domain.
const OPERATION_INVALID = 55;
const NOT_RUNNING: ReadonlySet<number | undefined> = new Set([NO_DOMAIN, OPERATION_INVALID]);

// virDomainState: shut off. libvirt still has the domain's definition.
const SHUT_OFF = 5;
const runs = ({ fields }: DomainStats): boolean => Number(fields.get('state.state')) !== SHUT_OFF;

type Calls = Omit<Connection, 'doubt$'>;

/**
 * Wraps a connection: an answer that a listed domain does not run emits on `doubt$`, because the event may be missing.
 * libvirt sends none for a domain that it finds dead when it starts.
 */
export const withDoubts = (calls: Calls): Connection => {
  const doubts = new Subject<undefined>();
  const doubt = (): void => doubts.next(undefined);
  const watched = <T>(answer$: Observable<T>): Observable<T> =>
    answer$.pipe(
      tap({
        error: (error: unknown) => {
          if (error instanceof LibvirtError && NOT_RUNNING.has(error.code)) doubt();
        },
      }),
    );
  return {
    ...calls,
    doubt$: doubts.asObservable(),
    channel$: (uuid) => watched(calls.channel$(uuid)),
    xml$: (domain) => watched(calls.xml$(domain)),
    info$: (domain) =>
      watched(
        calls.info$(domain).pipe(
          map((stats) => {
            if (!runs(stats)) throw new LibvirtError('the domain does not run', NO_DOMAIN);
            return stats;
          }),
        ),
      ),
    stats$: (domains, groups) =>
      watched(calls.stats$(domains, groups)).pipe(
        map((all) => all.filter(runs)),
        tap((all) => {
          if (all.length < domains.length) doubt();
        }),
      ),
  };
};
