import { TestScheduler } from 'rxjs/testing';
import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { Config, SinkConfig, TransportConfig } from '../../src/config/config.ts';
import type { Place } from '../../src/model/metric.ts';
import { sinksFor } from '../../src/sinks/index.ts';
import { snapshot } from '../../src/testing/snapshots.ts';

const place = (line: number): Place => ({ file: 'vhostmd.conf', line, column: 3 });
const transport = (name: 'vbd' | 'virtio', line = 1): TransportConfig => ({ name, place: place(line) });
const sink = (type: string, options: readonly (readonly [string, string])[] = []): SinkConfig => ({
  type,
  options: options.map(([name, value], index) => ({ name, value, place: place(20 + index) })),
  place: place(10),
});
const config = (some: Partial<Config>): Config => ({
  file: 'vhostmd.conf',
  updatePeriod: 5000,
  path: '/usr/bin',
  transports: [],
  maxParallelActions: 8,
  sinks: [],
  metrics: [],
  ...some,
});
const lines: string[] = [];
const context = {
  scheduler: new TestScheduler(() => true),
  write: (line: string): void => {
    lines.push(line);
  },
};
const errorsOf = async (some: Partial<Config>): Promise<readonly string[]> => {
  const result = await sinksFor(config(some), context);
  return result.ok ? [] : result.error.map(({ line, column, message }) => `${line}:${column} ${message}`);
};
const namesOf = async (some: Partial<Config>): Promise<readonly string[]> => {
  const result = await sinksFor(config(some), context);
  return result.ok ? result.value.map(({ name }) => name) : [];
};
const disk = { name: 'host', path: '/dev/shm/vhostmd0', size: 65_536 };

describe('the list of sinks', async () => {
  it('has the metrics disk for transport vbd, once', async () => {
    expect(await namesOf({ disk, transports: [transport('vbd'), transport('vbd', 2)] })).toEqual(['metrics disk']);
  });

  it('reports the place of a transport vbd without a disk', async () => {
    expect(await errorsOf({ transports: [transport('vbd', 7)] })).toEqual([
      '7:3 Transport vbd needs a <disk> with a <path>, or a <vm_disk>; add one',
    ]);
  });

  it('has a disk for each VM beside the shared one, or alone', async () => {
    const vmDisk = { path: '/run/vhostmd/UUID', size: 65_536, place: place(9) };
    expect(await namesOf({ disk, vmDisk, transports: [transport('vbd')] })).toEqual(['metrics disk', 'private disks']);
    expect(await namesOf({ vmDisk, transports: [transport('vbd')] })).toEqual(['private disks']);
  });

  it('has the channels for transport virtio, with or without a disk', async () => {
    const virtio = { maxChannels: 1024, expirationTime: 15_000 };
    expect(await namesOf({ virtio, transports: [transport('virtio')] })).toEqual(['virtio-serial']);
    expect(await namesOf({ disk, virtio, transports: [transport('vbd'), transport('virtio')] })).toEqual([
      'metrics disk',
      'virtio-serial',
    ]);
  });

  it('keeps a sink over a reload only if it is configured alike', async () => {
    const keys = async (some: Partial<Config>): Promise<readonly string[]> => {
      const result = await sinksFor(config(some), context);
      return result.ok ? result.value.map(({ key }) => key) : [];
    };
    const virtio = { maxChannels: 1024, expirationTime: 15_000 };
    const vmDisk = { path: '/run/vhostmd/UUID', size: 65_536, place: place(9) };
    const before = await keys({ virtio, vmDisk, transports: [transport('virtio')] });
    expect(before).toHaveLength(2);
    expect(
      await keys({
        virtio: { ...virtio },
        vmDisk: { ...vmDisk, place: place(12) },
        transports: [transport('virtio', 3)],
      }),
    ).toEqual(before);
    const [channels, disks] = await keys({
      virtio: { ...virtio, maxChannels: 10 },
      vmDisk: { ...vmDisk, size: 131_072 },
      transports: [transport('virtio')],
    });
    expect(before).not.toContain(channels);
    expect(before).not.toContain(disks);
  });

  it('reports the place of a module that cannot be found', async () => {
    const module = './no/such/module.js';
    const [error] = await errorsOf({ file: '/etc/vhostmd.conf', sinks: [{ module, options: [], place: place(10) }] });
    expect(error).toBe('10:3 Sink module "./no/such/module.js" cannot be found: there is no /etc/no/such/module.js');
  });

  it('names a module by its whole path, however deep it lies', async () => {
    const module = `${'/as/deep'.repeat(30)}/as-this.js`;
    const [error] = await errorsOf({ file: '/etc/vhostmd.conf', sinks: [{ module, options: [], place: place(10) }] });
    expect(error).toBe(`10:3 Sink module "${module}" cannot be found: there is no ${module}`);
  });

  it('has the log sink, which writes JSON by default', async () => {
    lines.length = 0;
    for (const options of [[], [['format', 'lines'] as const]]) {
      const result = await sinksFor(config({ sinks: [sink('log', options)] }), context);
      if (result.ok) result.value[0]?.run(of(snapshot(1))).subscribe();
    }
    expect(lines).toEqual([expect.stringMatching(/^\{"cause":"tick"/), 'host Tick string tick 1']);
  });

  it('proposes the type that was meant', async () => {
    expect(await errorsOf({ sinks: [sink('logg')] })).toEqual([
      '10:3 There is no sink type "logg", only "log", "prometheus"; did you mean "log"?',
    ]);
    expect(await errorsOf({ sinks: [sink('constructor')] })).toEqual([
      '10:3 There is no sink type "constructor", only "log", "prometheus"',
    ]);
    expect(await errorsOf({ sinks: [{ options: [], place: place(4) }] })).toEqual([
      '4:3 <sink> needs a type, one of "log", "prometheus", or a module',
    ]);
  });

  it('refuses unknown, wrong and repeated options, each at its place', async () => {
    const options = [
      ['fromat', 'json'],
      ['format', 'line'],
      ['format', 'json'],
    ] as const;
    expect(await errorsOf({ sinks: [sink('log', options)] })).toEqual([
      '20:3 Sink log has no option "fromat", only "format"; did you mean "format"?',
      '21:3 Option "format" of sink log must be one of "json", "lines", found "line"; did you mean "lines"?',
      '22:3 Option "format" is given twice; remove one',
    ]);
  });
});
