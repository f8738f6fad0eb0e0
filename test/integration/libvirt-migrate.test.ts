import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, it } from 'vitest';

import { PROGRAM, until } from '../support/daemon.ts';
import { domainXml } from '../support/libvirtd.ts';
import { libvirtStage } from './libvirt-stage.ts';

const run = promisify(execFile);

/** Published metrics by their attributes and name: `type='uint64' context='host' Time`. */
type Published = ReadonlyMap<string, string>;

const published = (xml: string): Published =>
  new Map(
    [...xml.matchAll(/<metric (.*?)>\s*<name>(.*?)<\/name>\s*<value>(.*?)<\/value>/g)].map(
      ([, attributes = '', name = '', value = '']) => [`${attributes} ${name}`, value],
    ),
  );

// What only grows is between what the old file gives before and after. dominfo rounds to tenths of a second.
const COUNTERS = /(?:TotalCPUTime|PagedInMemory|PagedOutMemory| Time)$/;
const ROUNDING = 0.05;
// Memory of the host moves: the new value must come near the old one at some time. Statistics differ by GiB.
const GAUGES = /(?:MemoryAllocatedToVirtualServers|FreePhysicalMemory|VirtualMemory|UsedMem|FreeMem)$/;
const NEAR = 64;
// A second of paging: the file has a script for both values.
const RATES = /Page(?:In|Fault)Rate$/;

describe('A file of the C daemon and the one that `vhostmd check --migrate` makes of it', () => {
  const stage = libvirtStage({ keepDomains: true });

  beforeAll(async () => {
    const { libvirtd, folder } = stage();
    await libvirtd.create('running');
    const large = domainXml('larger').replace("'MiB'>16<", "'MiB'>24<").replace('<vcpu>1<', '<vcpu>2<');
    writeFileSync(path.join(folder, 'larger.xml'), large);
    await libvirtd.virsh('create', '--paused', path.join(folder, 'larger.xml'));
  });

  it.each([
    ['rhel-style.xml', 13, 4, 1],
    ['upstream-style.xml', 13, 1, 1],
  ])(
    'of %s give the same metrics with the same values of two VMs and the host',
    async (name, ofHost, ofVm, actions) => {
      const { libvirtd, folder } = stage();
      const old = fileURLToPath(new URL(`../fixtures/config/${name}`, import.meta.url));
      const { stdout, stderr } = await run(process.execPath, [PROGRAM, 'check', '--migrate', old]);
      expect(stderr).toMatch(new RegExp(` ${actions} stays?\n$`));
      const file = path.join(folder, name);
      writeFileSync(file, stdout);
      const once = async (config: string): Promise<Published> =>
        published((await run(process.execPath, [PROGRAM, 'once', '-f', config, '-c', libvirtd.uri])).stdout);

      let rounds: readonly Published[] = [];
      const near = new Set<string>();
      const round = async (): Promise<boolean> => {
        rounds = [await once(old), await once(file), await once(old)];
        const [before, now, after] = rounds as [Published, Published, Published];
        expect([...now.keys()]).toEqual([...before.keys()]);
        expect(now.size).toBe(ofHost + 2 * ofVm);
        for (const [key, value] of now) {
          const [first, last] = [before.get(key), after.get(key)];
          if (COUNTERS.test(key)) {
            expect(Number(value), key).toBeGreaterThanOrEqual(Number.parseFloat(first ?? '') - ROUNDING);
            expect(Number(value), key).toBeLessThanOrEqual(Number.parseFloat(last ?? '') + ROUNDING);
          } else if (GAUGES.test(key)) {
            if ([first, last].some((each) => Math.abs(Number(each) - Number(value)) <= NEAR)) near.add(key);
          } else if (!RATES.test(key)) expect(`${key} ${value}`).toBe(`${key} ${first}`);
        }
        return [...now.keys()].every((key) => !GAUGES.test(key) || near.has(key));
      };
      await until('memory is as the old file has it', round, 60_000);
    },
  );
});
