import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

import { PROGRAM } from '../../support/daemon.ts';
import { vhostmd } from './program.ts';

const CONFIG = fileURLToPath(new URL('../../../conf/vhostmd.xml', import.meta.url));
const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-dump-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('CASE E2: what cannot be read', () => {
  it.each([
    ['a file', (place: string) => ['dump', place]],
    ['a disk to watch', (place: string) => ['watch', '--once', place]],
    ['a pid file', (place: string) => ['-d', '-f', CONFIG, '-p', place]],
  ])('CASE E2: is named once, as %s', (_, args) => {
    const place = path.join(directory, 'missing', 'file');
    const { code, stderr } = vhostmd(args(place));
    expect(code).toBe(1);
    expect(stderr).toContain('no such file or directory');
    expect(stderr.split(place).length - 1).toBe(1);
  });
});

const DOCUMENT = `<metrics>
  <metric type='string' context='host'>
    <name>Host &amp; Name</name>
    <value>&#xFC;&lt;1&gt;</value>
  </metric>
  <metric type='uint64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='MiB'>
    <name>Memory</name>
    <value>18446744073709551615</value>
  </metric>
</metrics>
`;

const diskWith = (document: string, { busy = 0, sum = 0, signature = 'mvbd' } = {}): string => {
  const file = path.join(directory, `disk-${Math.random().toString(36).slice(2)}`);
  const content = Buffer.from(document, 'latin1');
  const disk = Buffer.alloc(Math.max(65_536, Math.ceil((content.length + 24) / 65_536) * 65_536));
  disk.write(signature, 0, 'latin1');
  disk.writeUInt32BE(busy, 4);
  disk.writeUInt32BE((content.reduce((total, byte) => total + byte, 0) + sum) >>> 0, 8);
  disk.writeUInt32BE(content.length, 12);
  content.copy(disk, 16);
  writeFileSync(file, disk);
  return file;
};

describe('vhostmd dump', () => {
  it('prints the document of a metrics disk, byte for byte', () => {
    expect(vhostmd(['dump', diskWith(DOCUMENT)])).toMatchObject({ code: 0, stdout: DOCUMENT, stderr: '' });
  });

  it('prints it as JSON, text decoded, numbers as they are printed', () => {
    const { code, stdout } = vhostmd(['dump', '--json', diskWith(DOCUMENT)]);
    expect(JSON.parse(stdout)).toEqual([
      { context: 'host', name: 'Host & Name', type: 'string', value: 'ü<1>' },
      {
        context: 'vm',
        name: 'Memory',
        type: 'uint64',
        unit: 'MiB',
        value: '18446744073709551615',
        id: '2',
        uuid: '6be3fdb8-bef5-6fec-b1b7-e61bbceab708',
      },
    ]);
    expect(code).toBe(0);
  });

  it('prints an empty list for a disk without metrics', () => {
    expect(vhostmd(['dump', '--json', diskWith('<metrics>\n</metrics>\n')])).toMatchObject({ code: 0, stdout: '[]\n' });
  });

  it.each([
    ['that is missing', () => path.join(directory, 'none')],
    ['that is a directory', () => directory],
    ['that is empty', () => path.join(directory, 'empty')],
    ['that is something else', () => diskWith(DOCUMENT, { signature: 'ELF!' })],
    ['with a wrong sum', () => diskWith(DOCUMENT, { sum: 1 })],
    ['whose document is cut off', () => diskWith(DOCUMENT.slice(0, 100))],
    ['that is busy for ever', () => diskWith(DOCUMENT, { busy: 1 })],
  ])('of a disk %s ends with status 1 and one line, in bounded time', (what, disk) => {
    if (what === 'that is empty') writeFileSync(path.join(directory, 'empty'), '');
    const target = disk();
    const start = performance.now();
    const { code, stdout, stderr } = vhostmd(['dump', target]);
    expect(stderr).toMatch(/^vhostmd: [^\n]+\n$/);
    expect(stderr).toContain(target);
    expect(stderr).not.toMatch(/\bat .*\.js/);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  it.each([
    ['prints', [] as const, (stdout: string) => expect(stdout).toBe(DOCUMENT)],
    ['prints as JSON', ['--json'] as const, (stdout: string) => expect(JSON.parse(stdout)).toHaveLength(2)],
  ])('%s what a channel replies', async (_what, options, check) => {
    const socket = path.join(directory, `socket-${options.length}`);
    const server = createServer((client) => client.once('data', () => client.write(`${DOCUMENT}\n`)));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const child = spawn(process.execPath, [PROGRAM, 'dump', ...options, socket]);
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
      const [code] = await once(child, 'close');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      check(stdout);
    } finally {
      server.close();
    }
  });

  it('of a channel without an answer ends with status 1 and one line, in bounded time', () => {
    const { code, stdout, stderr } = vhostmd(['dump', '/dev/null']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vhostmd: \/dev\/null does not answer within 5 s: [^\n]+\n$/);
  });

  it('whose reader goes away does not complain', () => {
    const big = DOCUMENT.replace('<1>', 'x'.repeat(200_000));
    const { stdout, stderr } = spawnSync(
      '/bin/sh',
      ['-c', '"$@" | head -n 1', 'sh', process.execPath, PROGRAM, 'dump', diskWith(big)],
      { encoding: 'utf8' },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '<metrics>\n', stderr: '' });
  });
});
