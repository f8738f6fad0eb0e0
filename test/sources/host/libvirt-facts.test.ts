import { asyncScheduler, BehaviorSubject, firstValueFrom, NEVER, of, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { factsFor, hostFacts, isFromLibvirt } from '../../../src/sources/host/libvirt-facts.ts';
import type { ConnectionState } from '../../../src/sources/libvirt/reconnect.ts';
import type { Connection, Fact, HostFact } from '../../../src/sources/libvirt/types.ts';
import { fakeConnection, statMetric } from '../fake-libvirt.ts';

const ok = (value: number | string): Fact => ({ ok: true, value });
const WANTED = ['host.product', 'host.cpus'] as const;

/** A libvirt with these answers, and the requests to it. */
const libvirt = (answers: Partial<Record<HostFact, Fact>>) => {
  const asked: string[] = [];
  const connection: Connection = fakeConnection({
    host$: (wanted) => {
      asked.push(wanted.join(' '));
      return of(Object.fromEntries(wanted.map((fact) => [fact, answers[fact]])));
    },
  });
  return { asked, answers, state: { up: true, connection } satisfies ConnectionState };
};

describe('facts of the host', () => {
  it('are needed by their statistics, and the CPUs by the virtual CPUs for each of them', () => {
    const statOf = (stat: string) => ({ ...statMetric(stat), context: 'host' as const });
    expect(factsFor(['host.cpus', 'host.load.1', 'host.product'].map(statOf))).toEqual(['host.cpus', 'host.product']);
    expect(factsFor(['host.overcommit.cpus', 'host.cpus'].map(statOf))).toEqual(['host.cpus']);
    expect(factsFor([statOf('host.overcommit.memory')])).toEqual([]);
    const all = ['host.cpus', 'host.overcommit.cpus', 'host.overcommit.memory', 'host.load.1'].map(statOf);
    expect(all.map(isFromLibvirt)).toEqual([true, true, true, false]);
  });

  it('are asked for at each call, the version of the hypervisor once a minute', async () => {
    const clock = new VirtualTimeScheduler();
    const { asked, answers, state } = libvirt({ 'host.product': ok('QEMU 7.2.0'), 'host.cpus': ok(8) });
    const facts$ = hostFacts(of(state), clock);
    const at = async (ms: number) => {
      clock.frame = ms;
      return await firstValueFrom(facts$(WANTED));
    };
    expect(await at(0)).toEqual({ 'host.product': ok('QEMU 7.2.0'), 'host.cpus': ok(8) });
    answers['host.product'] = ok('QEMU 9.0.0');
    answers['host.cpus'] = ok(7);
    expect(await at(59_999)).toEqual({ 'host.product': ok('QEMU 7.2.0'), 'host.cpus': ok(7) });
    expect(await at(60_000)).toEqual({ 'host.product': ok('QEMU 9.0.0'), 'host.cpus': ok(7) });
    expect(asked).toEqual(['host.product host.cpus', 'host.cpus', 'host.product host.cpus']);
  });

  it('of this host are asked for when the kernel shows a change, and once a minute', async () => {
    const clock = new VirtualTimeScheduler();
    const { asked, answers, state } = libvirt({ 'host.cpus': ok(8), 'host.libvirt.hostname': ok('a') });
    const connection = { ...state.connection, localInfo: () => undefined };
    const shown: { cpus: string | undefined; hostname: string } = { cpus: '0-7', hostname: 'a' };
    const facts$ = hostFacts(of({ up: true, connection }), clock, {
      'host.cpus': () => {
        if (shown.cpus === undefined) throw new Error('there is no /sys');
        return shown.cpus;
      },
      'host.libvirt.hostname': () => shown.hostname,
    });
    const at = async (ms: number) => {
      clock.frame = ms;
      asked.splice(0);
      const facts = await firstValueFrom(facts$(['host.cpus', 'host.libvirt.hostname']));
      return [facts?.['host.cpus'], facts?.['host.libvirt.hostname'], ...asked];
    };
    expect(await at(0)).toEqual([ok(8), ok('a'), 'host.cpus host.libvirt.hostname']);
    expect(await at(10)).toEqual([ok(8), ok('a')]);
    shown.cpus = '0-6';
    answers['host.cpus'] = ok(7);
    expect(await at(20)).toEqual([ok(7), ok('a'), 'host.cpus']);
    expect(await at(30)).toEqual([ok(7), ok('a')]);
    shown.hostname = 'b';
    answers['host.libvirt.hostname'] = ok('b');
    expect(await at(40)).toEqual([ok(7), ok('b'), 'host.libvirt.hostname']);
    expect(await at(60_020)).toEqual([ok(7), ok('b'), 'host.cpus']);
    shown.cpus = undefined;
    expect(await at(60_030)).toEqual([ok(7), ok('b'), 'host.cpus']);
    expect(await at(60_039)).toEqual([ok(7), ok('b'), 'host.cpus']);
    expect(await at(60_040)).toEqual([ok(7), ok('b'), 'host.cpus host.libvirt.hostname']);
  });

  it('that the driver refused are asked for at each call', async () => {
    const { asked, state } = libvirt({ 'host.cpus': { ok: false, error: 'not supported' } });
    const connection = { ...state.connection, localInfo: () => undefined };
    const facts$ = hostFacts(of({ up: true, connection }), asyncScheduler, { 'host.cpus': () => '0-7' });
    await firstValueFrom(facts$(['host.cpus']));
    await firstValueFrom(facts$(['host.cpus']));
    expect(asked).toEqual(['host.cpus', 'host.cpus']);
  });

  it('are asked for on each connection, and again while the driver has no version', async () => {
    const no: Fact = { ok: false, error: 'the version of the hypervisor is not known' };
    const [first, second] = [libvirt({ 'host.product': no }), libvirt({ 'host.product': ok('QEMU 9.0.0') })];
    const state$ = new BehaviorSubject<ConnectionState>(first.state);
    const facts$ = hostFacts(state$, asyncScheduler);
    const product = async () => (await firstValueFrom(facts$(['host.product'])))?.['host.product'];
    expect([await product(), await product()]).toEqual([no, no]);
    state$.next(second.state);
    expect([await product(), await product()]).toEqual([ok('QEMU 9.0.0'), ok('QEMU 9.0.0')]);
    expect([first.asked.length, second.asked.length]).toEqual([2, 1]);
  });

  it('are the latest while libvirt is away or hangs, but for the CPUs', async () => {
    const { state } = libvirt({ 'host.product': ok('QEMU 9.0.0'), 'host.cpus': ok(8) });
    const state$ = new BehaviorSubject<ConnectionState>(state);
    const clock = new VirtualTimeScheduler();
    const facts$ = hostFacts(state$, clock);
    await firstValueFrom(facts$(WANTED));
    state$.next({ up: true, connection: fakeConnection({ host$: () => NEVER }) });
    const hanging = firstValueFrom(facts$(WANTED));
    clock.flush();
    expect(await hanging).toEqual({ 'host.product': ok('QEMU 9.0.0') });
    state$.next({ up: false, reason: 'gone' });
    expect(await firstValueFrom(facts$(WANTED))).toEqual({ 'host.product': ok('QEMU 9.0.0') });
  });
});
