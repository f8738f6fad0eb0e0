import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { BUSYBOX, busyboxFolder, SHELLS, TOOL } from '../../guest/tool.ts';
import { PROGRAM } from '../../support/daemon.ts';
import { atTerminal } from '../../support/terminal.ts';
import { vhostmd } from './program.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-terminal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Makes a metrics disk with any bytes as its document; returns its path. */
const diskWith = (document: Buffer): string => {
  const file = path.join(directory, `disk-${Math.random().toString(36).slice(2)}`);
  const disk = Buffer.alloc(65_536);
  disk.write('mvbd');
  disk.writeUInt32BE(
    document.reduce((sum, byte) => sum + byte, 0),
    8,
  );
  disk.writeUInt32BE(document.length, 12);
  document.copy(disk, 16);
  writeFileSync(file, disk);
  return file;
};

// Colours, bell, delete, an 8-bit control sequence, changes of the text direction, and harmless characters.
const HOSTILE = 'a\u001B[31mb\u0007\u007Fc\u009B2Jd\u202Ee\u061C\u2066 \\ ä€😀\tz';
const SHOWN = 'a&#x1B;[31mb&#x7;&#x7F;c&#x9B;2Jd&#x202E;e&#x61C;&#x2066; \\ ä€😀\tz';
const documentOf = (value: string): string =>
  `<metrics>\n  <metric type='string' context='host'>\n    <name>N</name>\n    <value>${value}</value>\n  </metric>\n</metrics>\n`;
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');
const STEERING = /[^\t\n -~\u0080-\u{10FFFF}]|[\u0080-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/u;

describe('CASE F8: hostile text', () => {
  const disk = diskWith(Buffer.from(documentOf(HOSTILE)));

  it('CASE F8: of a disk is shown as references by dump at a terminal, and as it is in a pipe', () => {
    expect(utf8(atTerminal([process.execPath, PROGRAM, 'dump', disk]).text)).toBe(documentOf(SHOWN));
    expect(vhostmd(['dump', disk]).stdout).toBe(documentOf(HOSTILE));
  });

  it('CASE F8: is shown by dump --json at a terminal, and is the same JSON as in a pipe', () => {
    const shown = utf8(atTerminal([process.execPath, PROGRAM, 'dump', '--json', disk]).text);
    expect(shown).not.toMatch(STEERING);
    expect(JSON.parse(shown)).toEqual(JSON.parse(vhostmd(['dump', '--json', disk]).stdout));
    expect(JSON.parse(shown)).toMatchObject([{ value: HOSTILE }]);
  });

  it.each([
    ['dump', (place: string) => ['dump', place]],
    ['watch', (place: string) => ['watch', '--once', place]],
    ['check', (place: string) => ['check', place]],
    ['once', (place: string) => ['once', '-f', place]],
    ['status', (place: string) => ['status', '--socket', place]],
    ['attach', (place: string) => ['attach', '-f', place, 'x']],
    ['the command line', (place: string) => ['dump', 'a', place]],
  ])('CASE F8: in the name of a file steers no terminal by a message of %s', (_, args) => {
    const { status, text } = atTerminal([process.execPath, PROGRAM, ...args(path.join(directory, HOSTILE))]);
    expect(status).not.toBe(0);
    expect(text).toContain('31mb');
    expect(utf8(text)).not.toMatch(STEERING);
  });

  it('CASE F8: of a document that is not well-formed steers no terminal by the message', () => {
    const broken = diskWith(Buffer.from('<metrics><a\u001B[31m></b\u009B2J></metrics>'));
    const { text } = atTerminal([process.execPath, PROGRAM, 'dump', broken]);
    expect(text).toContain('no well-formed document');
    expect(utf8(text)).not.toMatch(STEERING);
  });
});

describe.each([...SHELLS, { name: 'busybox alone', shell: [BUSYBOX, 'sh'] as const }])(
  'CASE F8: hostile text by vm-dump-metrics in $name',
  ({ name, shell }) => {
    const env = name === 'busybox alone' ? { PATH: busyboxFolder(path.join(directory, 'busybox')) } : {};
    const read = (...args: readonly string[]) => atTerminal([...shell, TOOL, ...args], env);

    it('CASE F8: is shown as references at a terminal, as a document and as a value', () => {
      const disk = diskWith(Buffer.from(documentOf(HOSTILE)));
      expect(utf8(read('--device', disk).text)).toBe(documentOf(SHOWN));
      expect(utf8(read('--device', disk, '--value', 'N').text)).toBe(`${SHOWN}\n`);
      const decoded = diskWith(Buffer.from(documentOf('a&#x9B;2J&#x1B;[0m&#x202E;')));
      expect(read('--device', decoded, '--value', 'N').text).toBe('a&#x9B;2J&#x1B;[0m&#x202E;\n');
    });

    it('CASE F8: that is no UTF-8 is shown byte by byte', () => {
      const bytes = Buffer.concat([
        Buffer.from(documentOf('').slice(0, 40)),
        Buffer.from([0x9b, 0xc2, 0x41, 0xe2, 0x80]),
        Buffer.from('\n'),
      ]);
      expect(read('--device', diskWith(bytes)).text).toBe(`${documentOf('').slice(0, 40)}&#x9B;&#xC2;A&#xE2;&#x80;\n`);
    });
  },
);
