import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { dump$, parseMetrics, toJson } from '../../src/client/read-metrics.ts';
import type { Dump, DumpOptions } from '../../src/client/read-metrics.ts';
import { document, metricsXml } from '../../src/model/metrics-xml.ts';
import type { Snapshot } from '../../src/model/metric.ts';
import { plain, start } from '../sinks/metrics-disk/harness.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';

let directory = '';
let path = '';
const value = snapshot(
  1,
  [{ name: 'Load', type: 'real64', value: '0.50', unit: '%' }],
  [ofDomain(7, sample('Näme <&>', `it's\n"5"`))],
);

const publish = (what: Snapshot): void => {
  const disk = start({ path });
  disk.publish(what);
  disk.stop();
};
const damage = (change: (bytes: Buffer) => Buffer | void): void => {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
};
const dumped = (options: DumpOptions = { wait: 60, poll: 20 }): Promise<Dump> => firstValueFrom(dump$(path, options));
const failure = async (options?: DumpOptions): Promise<string> => {
  const dump = await dumped(options);
  return dump.ok ? 'no failure' : dump.error;
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dump-'));
  path = join(directory, 'disk');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('dump', () => {
  it('gives the document, and the metrics with their text decoded', async () => {
    publish(value);
    const dump = await dumped();
    expect(dump.ok && plain(dump.value.xml)).toBe(document(metricsXml(value)));
    expect(dump.ok && dump.value.metrics).toEqual([
      { context: 'host', name: 'Load', type: 'real64', unit: '%', value: '0.50' },
      {
        context: 'vm',
        name: 'Näme <&>',
        type: 'string',
        value: `it's\n"5"`,
        id: '7',
        uuid: '6be3fdb8-bef5-6fec-b1b7-000000000007',
      },
    ]);
  });

  it('gives JSON that holds numbers as they were printed', () => {
    const metrics = parseMetrics(document(metricsXml(snapshot(1, [sample('A', '18446744073709551615')]))));
    expect(toJson(metrics)).toBe(`[
  {
    "context": "host",
    "name": "A",
    "type": "string",
    "value": "18446744073709551615"
  }
]
`);
  });

  it('gives no metrics of an empty document', async () => {
    publish(snapshot(1, []));
    expect(await dumped()).toMatchObject({ ok: true, value: { metrics: [] } });
  });

  it('reads a block device', async () => {
    publish(value);
    const device = execFileSync('losetup', ['--find', '--show', '--read-only', path], { encoding: 'utf8' }).trim();
    try {
      expect(await firstValueFrom(dump$(device))).toMatchObject({ ok: true });
    } finally {
      execFileSync('losetup', ['-d', device]);
    }
  });

  it('waits while the disk is busy, and reads it then', async () => {
    publish(value);
    damage((bytes) => void bytes.writeUInt32BE(1, 4));
    const dump = dumped({ wait: 5000, poll: 10 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    damage((bytes) => void bytes.writeUInt32BE(0, 4));
    expect(await dump).toMatchObject({ ok: true });
  });

  it('waits no longer than it is told to', async () => {
    publish(value);
    damage((bytes) => void bytes.writeUInt32BE(1, 4));
    expect(await failure()).toBe(`${path} stays busy: its writer has died or hangs; restart vhostmd on the host`);
  });

  it('reports a file that is no metrics disk', async () => {
    writeFileSync(path, Buffer.alloc(65_536));
    expect(await failure()).toBe(`${path} is not a metrics disk: it does not start with "mvbd"`);
    writeFileSync(path, 'mvbd');
    expect(await failure()).toBe(`${path} is too short for a metrics disk: it has not even a header`);
  });

  it('reports a file that cannot be read', async () => {
    expect(await failure()).toContain(`${path} cannot be read: ENOENT`);
    execFileSync('mkfifo', [path]);
    expect(await failure()).toContain('is neither a regular file nor a block device');
  });

  it('reports a wrong sum', async () => {
    publish(value);
    damage((bytes) => void bytes.writeUInt8(0x41, 30));
    expect(await failure({ wait: 5000, poll: 1 })).toMatch(
      /is damaged: the checksum of its content is \d+, but the header has \d+$/,
    );
  });

  it('reports a length beyond the end of the disk', async () => {
    publish(value);
    damage((bytes) => void bytes.writeUInt32BE(65_536 - 23, 12));
    expect(await failure()).toContain(`is too short for its content: the header has ${65_536 - 23} bytes`);
    publish(value);
    damage((bytes) => bytes.subarray(0, 100));
    expect(await failure()).toContain('is too short for its content');
    damage((bytes) => void bytes.writeUInt32BE(0xffffffff, 12));
    expect(await failure()).toContain('is too short for its content: the header has 4294967295 bytes');
  });

  it('accepts a length of exactly the size less 24', async () => {
    const xml = Buffer.from(`<metrics>${' '.repeat(65_536 - 24 - 20)}</metrics>\n`);
    const bytes = Buffer.alloc(65_536);
    bytes.write('mvbd');
    bytes.writeUInt32BE(
      xml.reduce((sum, byte) => sum + byte, 0),
      8,
    );
    bytes.writeUInt32BE(xml.length, 12);
    xml.copy(bytes, 16);
    writeFileSync(path, bytes);
    expect(await dumped()).toMatchObject({ ok: true, value: { metrics: [] } });
  });

  it('reports a content that is not well-formed, or no document of metrics', () => {
    expect(() => parseMetrics('<metrics>\n  <metric>\n</metrics>\n')).toThrow('line');
    expect(() => parseMetrics('<other/>')).toThrow('it has no <metrics> element');
  });
});
