import { interval, map, of, take } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { logLink } from '../../src/daemon/log-link.ts';
import type { ConnectionState } from '../../src/sources/libvirt/reconnect.ts';
import { fakeConnection, virtualTime } from '../sources/fake-libvirt.ts';

const UP: ConnectionState = { up: true, connection: fakeConnection({}) };
const DOWN: ConnectionState = { up: false, reason: 'connection lost' };

describe('The log of the link to libvirt', () => {
  it('CASE B10: has one line a minute of a link that comes and goes, while all changes are passed on at once', () => {
    const { scheduler, seen, see } = virtualTime(1_000_000);
    const lines: string[] = [];
    const log = (level: string, component: string, message: string): void =>
      void lines.push(`${scheduler.now() / 1000} ${level} ${component}: ${message}`);
    interval(7000, scheduler)
      .pipe(
        take(36),
        map((nth) => (nth % 2 === 0 ? UP : DOWN)),
        logLink('qemu:///system', { log, scheduler }),
      )
      .subscribe(({ up }) => see(up));
    scheduler.flush();
    expect(seen).toEqual(Array.from({ length: 36 }, (_, nth) => [(nth + 1) * 7000, nth % 2 === 0]));
    expect(lines).toEqual([
      '7 notice libvirt: Connected to FAKE through libvirt 1.2.3 at qemu:///system',
      '14 warning libvirt: Not connected, trying again: connection lost; host metrics continue',
      '134 notice libvirt: Connected to FAKE through libvirt 1.2.3 at qemu:///system (16 changes before it not logged)',
      '254 warning libvirt: Not connected, trying again: connection lost; host metrics continue (16 changes before it not logged)',
    ]);
  });

  it('names the events that a driver lacks, with the connection', () => {
    const { scheduler } = virtualTime(0);
    const lines: string[] = [];
    const connection = fakeConnection({ reports: { lifecycle: false, devices: false } });
    of<ConnectionState>({ up: true, connection })
      .pipe(logLink(undefined, { log: (...line) => void lines.push(line.join(' ')), scheduler }))
      .subscribe();
    expect(lines).toEqual([
      'notice libvirt Connected to FAKE through libvirt 1.2.3',
      'notice libvirt The driver reports no starts and stops of domains: they are listed once a period instead',
    ]);
  });
});
