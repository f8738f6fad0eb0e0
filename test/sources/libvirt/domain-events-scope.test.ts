import { BehaviorSubject, defer, map, of, Subject, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { DomainEvent } from '../../../src/model/metric.ts';
import { domainEvents$, type WatchScope } from '../../../src/sources/libvirt/domain-events.ts';
import { LibvirtError, NO_DOMAIN } from '../../../src/sources/libvirt/call.ts';
import type { Connection, LifecycleEvent } from '../../../src/sources/libvirt/types.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import { domain, fakeConnection, virtualTime } from '../fake-libvirt.ts';

const [a, b, c] = [domain('a'), domain('b'), domain('c')];
const nameOf = (uuid: string): string => uuid.at(-1) ?? '';

const brief = (event: DomainEvent): string => {
  if (event.kind === 'sync') {
    const names = (all: readonly { readonly name: string }[]): string => all.map(({ name }) => name).join('');
    return `sync ${names(event.domains)}${event.defined === undefined ? '' : ` + ${names(event.defined)}`}`;
  }
  if (event.kind === 'lost') return 'lost';
  if (event.kind === 'channel') return `channel ${nameOf(event.uuid)} ${event.path ?? 'none'}`;
  return `${event.kind} ${event.kind === 'running' ? event.domain.name : nameOf(event.uuid)}`;
};

const stage = (following: WatchScope, calls: Partial<Connection>, end = 1000) => {
  const time = virtualTime(end);
  const lifecycle = new Subject<LifecycleEvent>();
  const devices = new Subject<string>();
  const doubts = new Subject<undefined>();
  const connection = fakeConnection({
    lifecycle$: lifecycle,
    devices$: devices,
    doubt$: doubts,
    domains$: () => timer(100, time.scheduler).pipe(map(() => [a, b])),
    ...calls,
  });
  const at = (ms: number, event: LifecycleEvent | string): void =>
    void time.scheduler.schedule(() => (typeof event === 'string' ? devices.next(event) : lifecycle.next(event)), ms);
  const start = (): void => {
    domainEvents$(new BehaviorSubject<ConnectionState>({ up: true, connection }), following, time.scheduler)
      .pipe(map(brief))
      .subscribe(time.see);
    time.scheduler.flush();
  };
  const doubtAt = (ms: number): void => void time.scheduler.schedule(() => doubts.next(undefined), ms);
  return { ...time, at, doubtAt, start };
};

describe('Domains that are only defined', () => {
  const defined: LifecycleEvent = { kind: 'defined', uuid: c.uuid, name: 'c' };

  it('are listed and followed where they are asked for', () => {
    const { seen, at, start } = stage({ defined: true, channels: false, period: 1000 }, { defined$: () => of([a, c]) });
    at(50, { kind: 'undefined', uuid: a.uuid });
    at(200, defined);
    at(300, { kind: 'undefined', uuid: c.uuid });
    start();
    expect(seen).toEqual([
      [100, 'sync ab + c'],
      [200, 'defined c'],
      [300, 'undefined c'],
    ]);
  });

  it('are neither listed nor followed where they are not', () => {
    const { seen, at, start } = stage(
      { defined: false, channels: false, period: 1000 },
      { defined$: () => throwError(() => new Error('asked')) },
    );
    at(200, defined);
    at(300, { kind: 'undefined', uuid: c.uuid });
    start();
    expect(seen).toEqual([[100, 'sync ab']]);
  });
});

describe('Channels', () => {
  const channels: WatchScope = { defined: false, channels: true, period: 1000 };

  it('are asked for when a domain is listed, starts, or gets or loses a device', () => {
    const { seen, at, start } = stage(channels, { channel$: (uuid) => of(nameOf(uuid) === 'b' ? undefined : 'x') });
    at(200, { kind: 'running', domain: c });
    at(300, b.uuid);
    at(400, { kind: 'paused', uuid: c.uuid });
    start();
    expect(seen).toEqual([
      [100, 'sync ab'],
      [100, 'channel a x'],
      [100, 'channel b none'],
      [200, 'running c'],
      [200, 'channel c x'],
      [300, 'channel b none'],
      [400, 'paused c'],
    ]);
  });

  it('of a domain that is asked twice are emitted once, from the later call, in whatever order the two return', () => {
    let asked = 0;
    const { scheduler, seen, at, start } = stage(channels, {
      domains$: () => of([a]),
      channel$: () =>
        defer(() => {
          asked += 1;
          return timer(asked === 1 ? 500 : 50, scheduler).pipe(map(() => `answer ${asked}`));
        }),
    });
    at(200, a.uuid);
    start();
    expect(seen).toEqual([
      [0, 'sync a'],
      [250, 'channel a answer 2'],
    ]);
  });

  it('of a domain that goes meanwhile are no trouble, and the next question about it is answered', () => {
    const { seen, at, start } = stage(channels, {
      domains$: () => of([a]),
      channel$: () => defer(() => (seen.length < 2 ? throwError(() => new LibvirtError('gone', NO_DOMAIN)) : of('x'))),
    });
    at(200, { kind: 'running', domain: a });
    at(300, a.uuid);
    start();
    expect(seen).toEqual([
      [0, 'sync a'],
      [200, 'running a'],
      [200, 'channel a x'],
      [300, 'channel a x'],
    ]);
  });

  it('that may not be asked for count as none', () => {
    const { seen, start } = stage(channels, {
      domains$: () => of([a]),
      channel$: () => throwError(() => new LibvirtError('access denied', 88)),
    });
    start();
    expect(seen).toEqual([
      [0, 'sync a'],
      [0, 'channel a none'],
    ]);
  });

  it('of many domains are asked for a few at a time', () => {
    let now = 0;
    let most = 0;
    const { scheduler, seen, start } = stage(channels, {
      domains$: () => of(Array.from({ length: 20 }, (_, index) => domain('z', index + 1))),
      channel$: () =>
        defer(() => {
          most = Math.max(most, (now += 1));
          return timer(10, scheduler).pipe(map(() => void (now -= 1)));
        }),
    });
    start();
    expect(most).toBe(4);
    expect(seen.length).toBeGreaterThan(1);
  });
});

describe('The list of domains', () => {
  const only: WatchScope = { defined: false, channels: false, period: 5000 };

  it('CASE F2: comes again every minute, whatever the events say, and no more often', () => {
    let lists = 0;
    const { seen, start } = stage(
      only,
      { domains$: () => defer(() => of((lists += 1) === 1 ? [a, b] : [b])) },
      150_000,
    );
    start();
    expect(seen).toEqual([
      [0, 'sync ab'],
      [60_000, 'sync b'],
      [120_000, 'sync b'],
    ]);
  });

  it('CASE F2: comes again within a second of an answer that contradicts it, once for a storm of them', () => {
    let lists = 0;
    const { seen, doubtAt, start } = stage(
      only,
      { domains$: () => defer(() => of((lists += 1) < 3 ? [a, b] : [b])) },
      20_000,
    );
    for (let ms = 5000; ms < 7500; ms += 1) doubtAt(ms);
    start();
    expect(seen.map(([ms]) => ms)).toEqual([0, 6000, 7001, 8002]);
    expect(seen.at(-1)).toEqual([8002, 'sync b']);
  });

  it('CASE F2: never brings back a domain whose end is reported while the list is on its way', () => {
    const { seen, at, doubtAt, start } = stage(only, {}, 3000);
    doubtAt(500);
    at(1550, { kind: 'gone', uuid: a.uuid });
    at(1560, { kind: 'running', domain: c });
    start();
    expect(seen).toEqual([
      [100, 'sync ab'],
      [1550, 'gone a'],
      [1560, 'running c'],
      [1600, 'sync bc'],
    ]);
  });

  it('CASE F2: brings the channels every minute, else only those of domains that are new in it', () => {
    let lists = 0;
    const asked: string[] = [];
    const { doubtAt, start } = stage(
      { ...only, channels: true },
      {
        domains$: () => defer(() => of((lists += 1) === 1 ? [a] : [a, b])),
        channel$: (uuid) =>
          defer(() => {
            asked.push(nameOf(uuid));
            return of('x');
          }),
      },
      61_000,
    );
    doubtAt(500);
    start();
    expect(asked.join('')).toBe('abab');
  });

  it('CASE B5: comes once a period where the driver reports no events, and the channels with it', () => {
    const { seen, start } = stage(
      { ...only, channels: true },
      { reports: { lifecycle: false, devices: false }, domains$: () => of([a]), channel$: () => of('x') },
      11_000,
    );
    start();
    expect(seen.map(([ms, what]) => `${ms} ${String(what)}`)).toEqual([
      '0 sync a',
      '0 channel a x',
      '5000 sync a',
      '5000 channel a x',
      '10000 sync a',
      '10000 channel a x',
    ]);
  });
});
