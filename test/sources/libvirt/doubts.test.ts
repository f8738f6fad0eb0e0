import { type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { LibvirtError, NO_DOMAIN, RPC } from '../../../src/sources/libvirt/call.ts';
import { withDoubts } from '../../../src/sources/libvirt/doubts.ts';
import type { Connection } from '../../../src/sources/libvirt/types.ts';
import { domain, fakeConnection, statsOf } from '../fake-libvirt.ts';

const [a, b] = [domain('a'), domain('b')];
const OPERATION_INVALID = 55;
const [whole, off] = [statsOf(a, { 'state.state': 1 }), statsOf(a, { 'state.state': 5 })];

const doubtsOf = (calls: Partial<Connection>, call: (connection: Connection) => Observable<unknown>) => {
  const connection = withDoubts(fakeConnection(calls));
  let doubts = 0;
  const values: unknown[] = [];
  connection.doubt$.subscribe(() => (doubts += 1));
  call(connection).subscribe({ next: (value) => values.push(value), error: (error) => values.push(error) });
  return { doubts, values };
};
const failing = (code: number) => () => throwError(() => new LibvirtError('failed', code));

describe('An answer contradicts the list of domains', () => {
  it.each([NO_DOMAIN, OPERATION_INVALID])('CASE F2: if any call fails with error %i', (code) => {
    expect(doubtsOf({ info$: failing(code) }, ({ info$ }) => info$(a)).doubts).toBe(1);
    expect(doubtsOf({ channel$: failing(code) }, ({ channel$ }) => channel$(a.uuid)).doubts).toBe(1);
    expect(doubtsOf({ stats$: failing(code) }, ({ stats$ }) => stats$([a], 1)).doubts).toBe(1);
  });

  it('CASE F2: if the state of a domain that is defined is shut off; its values are none', () => {
    const info = doubtsOf({ info$: () => of(off) }, ({ info$ }) => info$(a));
    expect(info).toMatchObject({ doubts: 1, values: [{ code: NO_DOMAIN }] });
    expect(doubtsOf({ stats$: () => of([off]) }, ({ stats$ }) => stats$([a], 1))).toEqual({ doubts: 1, values: [[]] });
  });

  it('CASE F2: if statistics of several leave one out', () => {
    expect(doubtsOf({ stats$: () => of([whole]) }, ({ stats$ }) => stats$([a, b], 1))).toEqual({
      doubts: 1,
      values: [[whole]],
    });
  });

  it('not if all is as it should be, or if it is the connection that fails', () => {
    expect(doubtsOf({ info$: () => of(whole) }, ({ info$ }) => info$(a)).doubts).toBe(0);
    expect(doubtsOf({ stats$: () => of([whole]) }, ({ stats$ }) => stats$([a], 1)).doubts).toBe(0);
    expect(doubtsOf({ info$: failing(RPC) }, ({ info$ }) => info$(a)).doubts).toBe(0);
  });
});
