import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { defer, delay, finalize, firstValueFrom, NEVER, type Observable, of, VirtualTimeScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Domain } from '../../../src/model/metric.ts';
import { localInfo } from '../../../src/sources/libvirt/local-info.ts';
import { cpuTimeOf, openProcess } from '../../../src/sources/libvirt/qemu-process.ts';
import type { DomainStats } from '../../../src/sources/libvirt/types.ts';

const UUID = '1c9b8d62-5f0c-4d6c-b7a9-0a6f6c0a0001';
const DOMAIN: Domain = { uuid: UUID, id: 7, name: 'a b)c' };
const PID = 4711;

let top = '';
let clock = new VirtualTimeScheduler();
beforeEach(() => {
  top = mkdtempSync(path.join(tmpdir(), 'vhostmd-local-'));
  mkdirSync(path.join(top, 'state'));
  clock = new VirtualTimeScheduler();
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const state = (name: string): string => path.join(top, 'state', name);
const proc = (): string => path.join(top, 'proc');
/** Writes the /proc files of a process; CPU times in 1/100 s. */
const runProcess = (pid: number, utime: number, stime: number, argv: readonly string[]): void => {
  mkdirSync(path.join(proc(), String(pid)), { recursive: true });
  const stat = `${pid} (a) b 1 2 3) S 1 1 1 0 -1 0 0 0 0 0 ${utime} ${stime} 0 0 20 0 3 0 99 0 0\n`;
  writeFileSync(path.join(proc(), String(pid), 'stat'), stat);
  writeFileSync(path.join(proc(), String(pid), 'cmdline'), argv.map((word) => `${word}\0`).join(''));
};
const QEMU = ['qemu-system-x86_64', '-name', 'guest=a b)c', '-uuid', UUID];
let age = 10;
/** Writes a status file as libvirt does, each with another second in the past. */
const changeStatus = (name = DOMAIN.name): void => {
  writeFileSync(state('new'), 'status');
  renameSync(state('new'), state(`${name}.xml`));
  const at = Date.now() / 1000 - 1000 + (age += 1);
  utimesSync(state(`${name}.xml`), at, at);
  utimesSync(state(''), at, at);
};
const start = (domain = DOMAIN): void => {
  writeFileSync(state(`${domain.name}.pid`), `${PID}\n`);
  changeStatus(domain.name);
};

/** A libvirt with this answer, and the requests to it. */
const libvirt = (answer: (domain: Domain) => Observable<DomainStats>) => {
  const asked: string[] = [];
  return {
    asked,
    info$: (domain: Domain): Observable<DomainStats> => {
      asked.push(domain.uuid);
      return answer(domain);
    },
  };
};
const statsOf = (domain: Domain, cpuTime: bigint | number, vcpus = 1): DomainStats => ({
  domain,
  fields: new Map<string, number | bigint>([
    ['state.state', 1],
    ['cpu.time', cpuTime],
    ['vcpu.current', vcpus],
  ]),
});
const fieldsOf = async (info$: Observable<DomainStats>): Promise<Record<string, unknown>> =>
  Object.fromEntries((await firstValueFrom(info$)).fields);

describe('CPU time of a QEMU process', () => {
  it('is utime + stime, whatever its name holds', () => {
    expect(cpuTimeOf('1 (x) 9 9) S) R 1 1 1 0 -1 0 0 0 0 0 250 50 0 0\n')).toBe(3_000_000_000n);
    for (const text of ['', '1 (x)', '1 (x) S 1 2', 'a'.repeat(500)]) expect(cpuTimeOf(text)).toBeUndefined();
    // Cut off within the two fields, or no numbers.
    for (const end of ['250 ', '250  50 0', '2e2 50 0', '0x9 50 0', '-1 50 0'])
      expect(cpuTimeOf(`1 (x) R 1 1 1 0 -1 0 0 0 0 0 ${end}`)).toBeUndefined();
  });

  it('is that of the process which the pid file names only if its -uuid is that of the domain', () => {
    start();
    const opened = (): bigint | undefined => {
      const process = openProcess(state(`${DOMAIN.name}.pid`), UUID, proc());
      const time = process?.cpuTime();
      process?.close();
      return time;
    };
    expect(opened()).toBeUndefined();
    for (const argv of [[], ['sleep', '9'], ['x', '-uuid'], ['x', '-uuid', `${UUID}0`], ['x', `-uuid ${UUID}`]]) {
      runProcess(PID, 1, 2, argv);
      expect(opened()).toBeUndefined();
    }
    runProcess(PID, 1, 2, QEMU);
    expect(opened()).toBe(30_000_000n);
    for (const text of ['', '-1', '1 2', '../1', '0x10', '9'.repeat(40)]) {
      writeFileSync(state(`${DOMAIN.name}.pid`), text);
      expect(opened()).toBeUndefined();
    }
  });
});

describe('The state of a local domain', () => {
  const known = (answer: (domain: Domain) => Observable<DomainStats>) => {
    const calls = libvirt(answer);
    return { asked: calls.asked, local: localInfo(state(''), calls.info$, { scheduler: clock, proc: proc() }) };
  };

  it('is asked for once, and then read: CPU time from /proc, the rest as it was', async () => {
    start();
    runProcess(PID, 10, 0, QEMU);
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n, 3)));
    expect(await fieldsOf(local.info$(DOMAIN))).toMatchObject({ 'cpu.time': 100_000_000n });
    runProcess(PID, 10, 5, QEMU);
    for (let tick = 0; tick < 5; tick += 1)
      expect(await fieldsOf(local.info$(DOMAIN))).toEqual({
        'state.state': 1,
        'cpu.time': 150_000_000n,
        'vcpu.current': 3,
      });
    expect(asked).toHaveLength(1);
    local.close();
  });

  it('is read without a call after the first, and is the same object while nothing changes', async () => {
    start();
    runProcess(PID, 10, 0, QEMU);
    const { local } = known((domain) => of(statsOf(domain, 100_000_000n)));
    expect(local.localInfo(DOMAIN)).toBeUndefined();
    await fieldsOf(local.info$(DOMAIN));
    const first = local.localInfo(DOMAIN);
    expect(first?.fields.get('cpu.time')).toBe(100_000_000n);
    expect(local.localInfo(DOMAIN)).toBe(first);
    runProcess(PID, 11, 0, QEMU);
    expect(local.localInfo(DOMAIN)?.fields.get('cpu.time')).toBe(110_000_000n);
    expect(first?.fields.get('cpu.time')).toBe(100_000_000n);
    local.close();
  });

  it('is asked for again when libvirt has written its status, and not when it has written that of another', async () => {
    start();
    runProcess(PID, 10, 0, QEMU);
    let vcpus = 1;
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n, vcpus)));
    await fieldsOf(local.info$(DOMAIN));
    changeStatus('another');
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(1);
    vcpus = 2;
    changeStatus();
    expect(await fieldsOf(local.info$(DOMAIN))).toMatchObject({ 'vcpu.current': 2 });
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(2);
    local.close();
  });

  it('is asked for at each tick where its status cannot be looked at', async () => {
    const long = { ...DOMAIN, name: 'x'.repeat(300) };
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n)));
    for (let tick = 0; tick < 3; tick += 1)
      expect(await fieldsOf(local.info$(long))).toMatchObject({ 'cpu.time': 100_000_000n });
    expect(local.localInfo(long)).toBeUndefined();
    expect(asked).toHaveLength(3);
    local.close();
  });

  it('is asked for again after a status so young that the next may have the same time', async () => {
    start();
    runProcess(PID, 10, 0, QEMU);
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n)));
    const ahead = Date.now() / 1000 + 0.01;
    utimesSync(state(`${DOMAIN.name}.xml`), ahead, ahead);
    await fieldsOf(local.info$(DOMAIN));
    utimesSync(state(''), 5, 5);
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(2);
    local.close();
  });

  /** Starts domains whose processes have used 10 ms of CPU time. */
  const runDomains = (count: number): readonly Domain[] =>
    Array.from({ length: count }, (_, at): Domain => {
      const domain = { uuid: `${UUID}${at}`, id: at, name: `vm${at}` };
      writeFileSync(state(`${domain.name}.pid`), String(at + 1));
      changeStatus(domain.name);
      runProcess(at + 1, 1, 0, ['qemu', '-uuid', domain.uuid]);
      return domain;
    });

  it('is asked for again once a minute of each of many domains, of four at a time', async () => {
    const many = runDomains(300);
    const calls = { now: 0, most: 0 };
    const { asked, local } = known((domain) =>
      defer(() => {
        calls.now += 1;
        calls.most = Math.max(calls.most, calls.now);
        return of(statsOf(domain, 10_000_000n)).pipe(
          delay(clock.now() === 0 ? 0 : 20, clock),
          finalize(() => (calls.now -= 1)),
        );
      }),
    );
    const all = Promise.all(many.map((domain) => fieldsOf(local.info$(domain))));
    clock.flush();
    await all;
    asked.splice(0);
    calls.most = 0;
    for (let at = 5000; at <= 60_000; at += 5000) {
      clock.maxFrames = at;
      clock.schedule(() => many.forEach((domain) => local.localInfo(domain)), at - clock.now());
      clock.flush();
    }
    clock.maxFrames = 65_000;
    clock.flush();
    expect(asked.toSorted()).toEqual(many.map(({ uuid }) => uuid).toSorted());
    expect(calls.most).toBe(4);
    local.close();
  });

  it('is asked for again once a minute, not all at once, and not again while libvirt does not answer', async () => {
    const many = runDomains(30);
    let frozen = false;
    const { asked, local } = known((domain) => (frozen ? NEVER : of(statsOf(domain, 10_000_000n))));
    const collect = async (at: number): Promise<number> => {
      clock.frame = at;
      const before = asked.length;
      for (const domain of many) await fieldsOf(local.info$(domain));
      return asked.length - before;
    };
    expect(await collect(0)).toBe(30);
    const perTick: number[] = [];
    for (let at = 5000; at <= 60_000; at += 5000) perTick.push(await collect(at));
    expect(perTick.reduce((sum, count) => sum + count)).toBe(30);
    expect(Math.max(...perTick)).toBeLessThanOrEqual(4);
    frozen = true;
    for (let at = 65_000; at <= 600_000; at += 5000) await collect(at);
    expect(asked.length).toBe(60 + 4);
    local.close();
  });

  it('is asked for each time if the process is not visible, or its CPU time differs from that of libvirt', async () => {
    start();
    const hidden = known((domain) => of(statsOf(domain, 100_000_000n)));
    for (let tick = 0; tick < 3; tick += 1) await fieldsOf(hidden.local.info$(DOMAIN));
    expect(hidden.asked).toHaveLength(3);
    for (const cpuTime of [200_000_000n, 1n]) {
      runProcess(PID, 15, 0, QEMU);
      const other = known((domain) => of(statsOf(domain, cpuTime)));
      for (let tick = 0; tick < 3; tick += 1)
        expect(await fieldsOf(other.local.info$(DOMAIN))).toMatchObject({ 'cpu.time': cpuTime });
      expect(other.asked).toHaveLength(3);
    }
  });

  it('keeps the process of a domain that resumes, which is the same run, and opens that of another run anew', async () => {
    start();
    runProcess(PID, 300, 0, QEMU);
    const local = localInfo(state(''), libvirt((domain) => of(statsOf(domain, 3_000_000_000n))).info$, {
      scheduler: clock,
      proc: proc(),
    });
    const processOf = async (domain: Domain) => {
      await fieldsOf(local.info$(domain));
      return local.process(domain);
    };
    const process = await processOf(DOMAIN);
    expect(process).toBeDefined();
    expect(await processOf({ ...DOMAIN })).toBe(process);
    expect(await processOf({ ...DOMAIN, id: 8 })).not.toBe(process);
    local.close();
  });

  it('is forgotten with its run: a new run of the same name and UUID is asked for', async () => {
    start();
    runProcess(PID, 10, 0, QEMU);
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n)));
    await fieldsOf(local.info$(DOMAIN));
    await fieldsOf(local.info$({ ...DOMAIN, id: 8 }));
    local.retain([DOMAIN]);
    local.drop(UUID);
    await fieldsOf(local.info$(DOMAIN));
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(3);
    local.retain([]);
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(4);
    local.close();
    await fieldsOf(local.info$(DOMAIN));
    await fieldsOf(local.info$(DOMAIN));
    expect(asked).toHaveLength(6);
  });

  it('reads no file by a name that leads elsewhere', async () => {
    const evil: Domain = { ...DOMAIN, name: '../state/a b)c' };
    start();
    runProcess(PID, 10, 0, QEMU);
    const { asked, local } = known((domain) => of(statsOf(domain, 100_000_000n)));
    for (let tick = 0; tick < 2; tick += 1) await fieldsOf(local.info$(evil));
    expect(asked).toHaveLength(2);
  });
});
