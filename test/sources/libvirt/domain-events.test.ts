import { BehaviorSubject, defer, map, Subject, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Domain, DomainEvent } from '../../../src/model/metric.ts';
import { domainEvents$ } from '../../../src/sources/libvirt/domain-events.ts';
import { LibvirtError } from '../../../src/sources/libvirt/call.ts';
import type { LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import { domain, fakeConnection, virtualTime } from '../fake-libvirt.ts';

const [a, b, c] = [domain('a'), domain('b'), domain('c')];

const brief = (event: DomainEvent): string => {
  if (event.kind === 'sync') return `sync ${event.domains.map(({ name }) => name).join(' ')}`;
  if (event.kind === 'running') return `running ${event.domain.name}`;
  if (event.kind === 'lost') return `lost: ${event.reason}`;
  return `${event.kind} ${event.uuid.slice(-1)}`;
};

const stage = (end: number, list: (attempt: number) => readonly Domain[] | string, takes = 100) => {
  const time = virtualTime(end);
  const lifecycle = new Subject<LifecycleEvent>();
  let attempts = 0;
  const connection = fakeConnection({
    lifecycle$: lifecycle,
    domains$: () =>
      defer(() => {
        const listed = list((attempts += 1));
        return timer(takes, time.scheduler).pipe(
          map(() => {
            if (typeof listed === 'string') throw new LibvirtError(listed);
            return listed;
          }),
        );
      }),
  });
  const link = new BehaviorSubject<ConnectionState>({ up: true, connection });
  const at = (ms: number, event: LifecycleEvent): void => void time.scheduler.schedule(() => lifecycle.next(event), ms);
  domainEvents$(link, { defined: false, channels: false, period: 1000 }, time.scheduler)
    .pipe(map(brief))
    .subscribe(time.see);
  return { ...time, link, lifecycle, connection, at };
};

describe('The domains', () => {
  it('are listed, then followed', () => {
    const { scheduler, seen, at } = stage(1000, () => [a, b]);
    at(200, { kind: 'running', domain: c });
    at(300, { kind: 'paused', uuid: c.uuid });
    at(400, { kind: 'gone', uuid: a.uuid });
    scheduler.flush();
    expect(seen).toEqual([
      [100, 'sync a b'],
      [200, 'running c'],
      [300, 'paused c'],
      [400, 'gone a'],
    ]);
  });

  it('that come and go while they are being listed are right all the same: the list is brought up to date', () => {
    const { scheduler, seen, at } = stage(1000, () => [a, b]);
    at(20, { kind: 'gone', uuid: b.uuid });
    at(40, { kind: 'running', domain: c });
    at(60, { kind: 'gone', uuid: c.uuid });
    at(80, { kind: 'running', domain: c });
    at(200, { kind: 'gone', uuid: a.uuid });
    scheduler.flush();
    expect(seen).toEqual([
      [100, 'sync a c'],
      [200, 'gone a'],
    ]);
  });

  it('that cannot be listed are lost, with the reason, and listed again a second later', () => {
    const { scheduler, seen, at, lifecycle } = stage(3000, (attempt) => (attempt < 3 ? 'access denied' : [a]));
    at(500, { kind: 'running', domain: b });
    scheduler.flush();
    expect(seen).toEqual([
      [100, 'lost: the domains cannot be listed: access denied'],
      [1200, 'lost: the domains cannot be listed: access denied'],
      [2300, 'sync a'],
    ]);
    expect(lifecycle.observed).toBe(true);
  });

  it('are lost with the link, and listed anew when it is back; the old connection is not listened to any more', () => {
    const { scheduler, seen, link, lifecycle, connection } = stage(3000, (attempt) => (attempt === 1 ? [a, b] : [b]));
    const sayGone = (): void => lifecycle.next({ kind: 'gone', uuid: b.uuid });
    scheduler.schedule(() => link.next({ up: false, reason: 'end of file' }), 500);
    scheduler.schedule(sayGone, 600);
    scheduler.schedule(() => link.next({ up: true, connection }), 1000);
    scheduler.flush();
    expect(seen).toEqual([
      [100, 'sync a b'],
      [500, 'lost: end of file'],
      [1100, 'sync b'],
    ]);
  });

  it('whose list is still on its way when the link goes are not synchronised with it', () => {
    const { scheduler, seen, link } = stage(3000, () => [a]);
    scheduler.schedule(() => link.next({ up: false, reason: 'end of file' }), 50);
    scheduler.flush();
    expect(seen).toEqual([[50, 'lost: end of file']]);
  });

  it('do not hide bugs: an error that is not of libvirt is emitted as well', () => {
    const time = virtualTime(500);
    const connection = fakeConnection({ domains$: () => throwError(() => new Error('a bug')) });
    domainEvents$(
      new BehaviorSubject<ConnectionState>({ up: true, connection }),
      { defined: false, channels: false, period: 1000 },
      time.scheduler,
    )
      .pipe(map(brief))
      .subscribe(time.see);
    time.scheduler.flush();
    expect(time.seen).toEqual([[0, 'lost: the domains cannot be listed: a bug']]);
  });
});
