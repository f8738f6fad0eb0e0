import { BehaviorSubject, defer, map, of, Subject, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { DomainEvent } from '../../src/metric.ts';
import { domains$, type Following } from '../../src/sources/domains.ts';
import { LibvirtError, NO_DOMAIN } from '../../src/sources/libvirt/call.ts';
import type { Connection, LifecycleEvent } from '../../src/sources/libvirt/types.ts';
import type { Link } from '../../src/sources/link.ts';
import { domain, fakeConnection, virtualTime } from './fake-libvirt.ts';

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

const stage = (following: Following, calls: Partial<Connection>, end = 1000) => {
  const time = virtualTime(end);
  const lifecycle = new Subject<LifecycleEvent>();
  const devices = new Subject<string>();
  const connection = fakeConnection({
    lifecycle$: lifecycle,
    devices$: devices,
    domains$: () => timer(100, time.scheduler).pipe(map(() => [a, b])),
    ...calls,
  });
  const at = (ms: number, event: LifecycleEvent | string): void =>
    void time.scheduler.schedule(() => (typeof event === 'string' ? devices.next(event) : lifecycle.next(event)), ms);
  const start = (): void => {
    domains$(new BehaviorSubject<Link>({ up: true, connection }), following, time.scheduler)
      .pipe(map(brief))
      .subscribe(time.see);
    time.scheduler.flush();
  };
  return { ...time, at, start };
};

describe('Domains that are only defined', () => {
  const defined: LifecycleEvent = { kind: 'defined', uuid: c.uuid, name: 'c' };

  it('are listed and followed where they are asked for', () => {
    const { seen, at, start } = stage({ defined: true, channels: false }, { defined$: () => of([a, c]) });
    at(50, { kind: 'undefined', uuid: a.uuid });
    at(200, defined);
    at(300, { kind: 'undefined', uuid: c.uuid });
    start();
    expect(seen).toEqual([
      [100, 'sync ab + ac'],
      [100, 'undefined a'],
      [200, 'defined c'],
      [300, 'undefined c'],
    ]);
  });

  it('are neither listed nor followed where they are not', () => {
    const { seen, at, start } = stage(
      { defined: false, channels: false },
      { defined$: () => throwError(() => new Error('asked')) },
    );
    at(200, defined);
    at(300, { kind: 'undefined', uuid: c.uuid });
    start();
    expect(seen).toEqual([[100, 'sync ab']]);
  });
});

describe('Channels', () => {
  const channels: Following = { defined: false, channels: true };

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

  it('of a domain that is asked twice are told once, by the later answer, in whatever order the two come', () => {
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
