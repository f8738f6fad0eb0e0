import { concat, defer, NEVER, Observable, of, type SchedulerLike, throwError, timer } from 'rxjs';
import { map, switchMap } from 'rxjs/operators';
import { describe, expect, it } from 'vitest';

import { LibvirtError } from '../../../src/sources/libvirt/call.ts';
import type { Connection } from '../../../src/sources/libvirt/types.ts';
import { type ConnectionState, connectionState$ } from '../../../src/sources/libvirt/reconnect.ts';
import { fakeConnection, virtualTime } from '../fake-libvirt.ts';

const said = (link: ConnectionState): string => (link.up ? 'up' : link.reason);
const refused$ = throwError(() => new LibvirtError('refused'));

describe('The link to libvirt', () => {
  it('FAULTS 35: is tried again after 100 ms, then less and less often, but every 500 ms at least; the reason is said once', () => {
    const { scheduler, seen, see } = virtualTime(3000);
    const attempts: number[] = [];
    const open$ = defer(() => {
      attempts.push(scheduler.now());
      return timer(1, scheduler).pipe(switchMap(() => refused$));
    });
    connectionState$(open$, scheduler).pipe(map(said)).subscribe(see);
    scheduler.flush();
    expect(attempts.slice(0, 7)).toEqual([0, 101, 302, 703, 1204, 1705, 2206]);
    expect(seen).toEqual([[1, 'refused']]);
  });

  it('reports another reason, and starts with short delays again after it has been up', () => {
    const { scheduler, seen, see } = virtualTime(10_000);
    const reasons = ['refused', 'refused', 'no such file', '', 'lost', ''];
    const attempts: number[] = [];
    const open$ = defer((): Observable<Connection> => {
      const reason = reasons[attempts.push(scheduler.now()) - 1];
      if (reason === undefined) return NEVER;
      if (reason !== '') return timer(1, scheduler).pipe(switchMap(() => throwError(() => new LibvirtError(reason))));
      const lost$ = timer(1000, scheduler).pipe(switchMap(() => throwError(() => new LibvirtError('lost'))));
      return concat(of(fakeConnection({})), lost$);
    });
    connectionState$(open$, scheduler).pipe(map(said)).subscribe(see);
    scheduler.flush();
    expect(attempts.slice(0, 6)).toEqual([0, 101, 302, 703, 1803, 2004]);
    expect(seen.slice(0, 5)).toEqual([
      [1, 'refused'],
      [303, 'no such file'],
      [703, 'up'],
      [1703, 'lost'],
      [2004, 'up'],
    ]);
  });

  it('CASE B5: is tried ever less often where libvirt refuses it, and where it is lost as soon as it is open', () => {
    const gapsOf = (open: (scheduler: SchedulerLike) => Observable<Connection>): readonly number[] => {
      const { scheduler } = virtualTime(200_000);
      const attempts: number[] = [];
      const open$ = defer(() => {
        attempts.push(scheduler.now());
        return open(scheduler);
      });
      connectionState$(open$, scheduler).subscribe();
      scheduler.flush();
      return attempts.map((at, index) => at - (attempts[index - 1] ?? 0)).slice(1);
    };
    const refused = gapsOf((scheduler) =>
      timer(1, scheduler).pipe(switchMap(() => throwError(() => new LibvirtError('not supported', 3)))),
    );
    expect(refused.slice(0, 4)).toEqual([101, 201, 401, 801]);
    expect(refused.at(-1)).toBe(30_001);
    const lost = gapsOf((scheduler) =>
      concat(
        of(fakeConnection({})),
        timer(10, scheduler).pipe(switchMap(() => throwError(() => new LibvirtError('lost')))),
      ),
    );
    expect(lost.slice(0, 4)).toEqual([110, 210, 410, 510]);
  });

  it('FAULTS 34: is reported when the server takes the connection and says nothing; it is waited for, not tried again', () => {
    const { scheduler, seen, see } = virtualTime(60_000);
    let attempts = 0;
    const open$ = defer(() => {
      attempts += 1;
      return concat(timer(20_000, scheduler).pipe(map(() => fakeConnection({}))), NEVER);
    });
    connectionState$(open$, scheduler).pipe(map(said)).subscribe(see);
    scheduler.flush();
    expect(attempts).toBe(1);
    expect(seen).toEqual([
      [5000, 'no answer yet'],
      [20_000, 'up'],
    ]);
  });

  it('is tried less and less often where the server sends nothing and then disconnects', () => {
    const { scheduler, seen, see } = virtualTime(20_000);
    const attempts: number[] = [];
    const open$ = defer(() => {
      attempts.push(scheduler.now());
      return timer(6000, scheduler).pipe(switchMap(() => refused$));
    });
    connectionState$(open$, scheduler).pipe(map(said)).subscribe(see);
    scheduler.flush();
    expect(attempts).toEqual([0, 6100, 12_300, 18_700]);
    expect(seen.slice(0, 3)).toEqual([
      [5000, 'no answer yet'],
      [6000, 'refused'],
      [11_100, 'no answer yet'],
    ]);
  });

  it('is shared by all subscribers, also by later ones, and is closed with the last of them', () => {
    const { scheduler, seen, see } = virtualTime(1000);
    let open = 0;
    const linked$ = connectionState$(
      new Observable<Connection>((subscriber) => {
        open += 1;
        subscriber.next(fakeConnection({}));
        return () => (open -= 1);
      }),
      scheduler,
    ).pipe(map(said));
    const first = linked$.subscribe(see);
    const second = linked$.subscribe(see);
    expect(seen).toEqual([
      [0, 'up'],
      [0, 'up'],
    ]);
    expect(open).toBe(1);
    first.unsubscribe();
    expect(open).toBe(1);
    second.unsubscribe();
    expect(open).toBe(0);
  });

  it('names the package to install where the library is missing, and the daemon continues', () => {
    const { scheduler, seen, see } = virtualTime(5000);
    const open$ = new Observable<Connection>(() => {
      throw new Error('The library libvirt.so.0 cannot be loaded; install it');
    });
    connectionState$(open$, scheduler).pipe(map(said)).subscribe(see);
    scheduler.flush();
    expect(seen).toEqual([[0, 'The library libvirt.so.0 cannot be loaded; install it']]);
  });
});
