import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { metricsXml } from '../../src/metrics-xml.ts';
import type { GuestMetrics, Sample } from '../../src/metric.ts';
import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { HEADER_SIZE, parseHeader, RESERVED, sumOf, words } from '../../src/sinks/metrics-disk/format.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/unique-sum.ts';
import { guest, sample, snapshot } from '../sinks/snapshots.ts';
import { busyboxFolder, type Ended, SHELLS, startTool, TOOL } from './tool.ts';

const file = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-tool-'));
let bin = '';
let disk = '';
let number = 0;

beforeAll(() => {
  bin = busyboxFolder(path.join(folder, 'bin'));
});
beforeEach(() => {
  disk = path.join(folder, `disk${(number += 1)}`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Puts a document of such metrics on the disk, as the daemon does. */
const publish = (host: readonly Sample[], guests: readonly GuestMetrics[] = [], on = disk, size = 65_536): void => {
  const xml = metricsXml(snapshot(1, host, guests));
  const opened = openDisk({ path: on, size }, uniqueSums());
  opened.publish([xml.host, ...xml.guests.map((part) => part.xml)]);
  opened.close();
};

/** The document on the disk, byte by byte. */
const documentOn = (on = disk): string => {
  const bytes = readFileSync(on);
  return bytes.subarray(HEADER_SIZE, HEADER_SIZE + parseHeader(bytes).length).toString('latin1');
};

/** Makes a disk by hand. */
const forge = (content: Buffer, { size = 65_536, busy = 0, sum = sumOf(content, 0, content.length) } = {}): void => {
  const bytes = Buffer.alloc(size);
  words(0x6d766264, busy, sum, content.length).copy(bytes);
  content.copy(bytes, HEADER_SIZE);
  writeFileSync(disk, bytes);
};

const overwrite = (bytes: Buffer, position: number): void => {
  const fd = openSync(disk, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
};

/** A folder to come first in PATH, with a dd that does something after its n-th read of the disk. */
const ddThat = (then: string): string => {
  const wrapped = mkdtempSync(path.join(folder, 'dd-'));
  const script = `#!${bin}/sh\n${bin}/dd "$@" 2>/dev/null\necho >>${wrapped}/reads\nreads=$(wc -l <${wrapped}/reads)\n${then}\n`;
  writeFileSync(path.join(wrapped, 'dd'), script, { mode: 0o755 });
  return wrapped;
};

describe.each(SHELLS.map((shell) => ({ shell, name: shell.map((part) => path.basename(part)).join(' ') })))(
  'vm-dump-metrics in $name, with the programs of busybox only',
  ({ shell }) => {
    const run = async (args: readonly string[]): Promise<Ended> =>
      await startTool(shell, args, { PATH: bin, TMPDIR: '/nowhere' }).ended;
    const read = async (...args: readonly string[]): Promise<Ended> => await run(['--device', disk, ...args]);
    const value = async (...args: readonly string[]): Promise<string | number | null> => {
      const { code, stdout } = await read('--value', ...args);
      return code === 0 ? Buffer.from(stdout, 'latin1').toString('utf8') : code;
    };

    it('prints the document of a disk byte by byte', async () => {
      publish([sample('Host', "it's <a> & \\n b")], [guest(1, sample('Name', 'ä €')), guest(2, sample('Name', 'two'))]);
      expect(await read('--vbd')).toMatchObject({ code: 0, stdout: documentOn(), stderr: '' });
      expect(documentOn()).toContain('&#x20AC;');
    });

    it('prints an empty document', async () => {
      publish([]);
      const { code, stdout } = await read();
      expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn() });
      expect(stdout).toMatch(/^<metrics>\s+<\/metrics>\n$/);
    });

    it('prints a document that fills a disk of 256 KiB', async () => {
      forge(Buffer.alloc(262_144 - RESERVED, 'metrics\n'), { size: 262_144 });
      expect(await read()).toMatchObject({ code: 0, stdout: documentOn(), stderr: '' });
    });

    it('takes a sum of signed bytes as well, which C programs write on x86', async () => {
      const content = Buffer.from('<metrics>\nä€\n</metrics>\n');
      const signed = content.reduce((sum, byte) => sum + (byte > 127 ? byte - 256 : byte), 0);
      forge(content, { sum: signed >>> 0 });
      expect(await read()).toMatchObject({ code: 0, stdout: content.toString('latin1') });
    });

    it('waits while a disk is busy, but not for ever', async () => {
      publish([sample('Host', 'a')]);
      overwrite(words(1), 4);
      const { code, stdout, stderr } = await read('--wait', '1');
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('busy');
      const running = startTool(shell, ['--device', disk, '--wait', '20'], { PATH: bin });
      await sleep(500);
      overwrite(words(0), 4);
      expect(await running.ended).toMatchObject({ code: 0, stdout: documentOn() });
    });

    it('prints no torn document while another is written every few milliseconds', async () => {
      const opened = openDisk({ path: disk, size: 65_536 }, uniqueSums());
      let tick = 0;
      const update = (): void => {
        const samples = Array.from({ length: 60 }, (_, index) => sample(`M${index}`, `${(tick % 7) + 10}`));
        opened.publish([metricsXml(snapshot((tick += 1), samples)).host]);
      };
      update();
      const timer = setInterval(update, 25);
      for (let reads = 0; reads < 10; reads += 1) {
        const { code, stdout, stderr } = await read();
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        expect(new Set(stdout.match(/(?<=<value>).*(?=<)/g)).size).toBe(1);
        expect(stdout.match(/<metric /g)).toHaveLength(60);
      }
      clearInterval(timer);
      opened.close();
    });

    it('refuses a sum that stays wrong', async () => {
      publish([sample('Host', 'right')]);
      overwrite(Buffer.from('wrong'), 60);
      const { code, stdout, stderr } = await read();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('the sum of its content is not that of its header');
    });

    it.each([65_536 - RESERVED + 1, 65_536, 1 << 28, 0xffffffff])('refuses a length of %d', async (length) => {
      publish([sample('Host', 'a')]);
      overwrite(words(length), 12);
      const { code, stdout, stderr } = await read();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/is damaged: (it is too short|its content would be longer)/);
    });

    it('refuses NUL bytes in the content', async () => {
      forge(Buffer.from('<metrics>\n\0</metrics>\n'));
      expect(await read()).toMatchObject({ code: 1, stdout: '' });
    });

    it('says what is no metrics disk', async () => {
      expect(await read()).toMatchObject({ code: 1, stderr: expect.stringContaining(`${disk} cannot be read`) });
      for (const content of ['', 'mvb', 'mvbd', 'x'.repeat(65_536)]) {
        writeFileSync(disk, content);
        expect(await read()).toMatchObject({ code: 1, stdout: '' });
      }
      expect((await read()).stderr).toContain('is not a metrics disk: it does not start with "mvbd"');
    });

    it('says that a disk holds nothing yet', async () => {
      forge(Buffer.alloc(0));
      const { code, stderr } = await read('--wait', '1');
      expect(code).toBe(1);
      expect(stderr).toContain('holds no metrics yet');
    });

    it('writes to a file, as a whole and without anything beside it', async () => {
      publish([sample('Host', 'a')]);
      const place = path.join(folder, `place${number}`);
      mkdirSync(place);
      const dest = path.join(place, 'a file');
      for (const args of [['-d', dest], [`-d${dest}`], ['--dest', dest], [`--dest=${dest}`], ['-bvd', dest]]) {
        writeFileSync(dest, 'old');
        const before = statSync(dest).ino;
        const { code, stdout } = await read(...args);
        expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
        expect(readFileSync(dest, 'latin1')).toBe(documentOn());
        expect(statSync(dest).ino).not.toBe(before);
      }
      expect(readdirSync(place)).toEqual(['a file']);
      const link = path.join(place, 'link');
      symlinkSync(dest, link);
      expect(await read('-d', link)).toMatchObject({ code: 0 });
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
      expect(await read('-d', '/nowhere/file')).toMatchObject({ code: 1, stdout: '' });
    });

    it('leaves the file as it was when there are no metrics', async () => {
      const dest = `${disk}.dest`;
      writeFileSync(dest, 'old');
      expect(await read('-d', dest)).toMatchObject({ code: 1 });
      expect(readFileSync(dest, 'utf8')).toBe('old');
      expect(existsSync(`${dest}.tmp`)).toBe(false);
    });

    it('prints one value, with references decoded', async () => {
      publish([sample('Odd', `a<b & "c" 'd' &lt; \\n ä€😀`), sample('Both', 'host')], [guest(1, sample('Both', 'vm'))]);
      expect(await value('Odd')).toBe(`a<b & "c" 'd' &lt; \\n ä€😀\n`);
      expect(await value('Both', '--context', 'host')).toBe('host\n');
      expect(await value('Both', '--context=vm')).toBe('vm\n');
      expect(await value('Both')).toBe(3);
      expect(await value('Missing')).toBe(3);
      expect(await value('Odd', '--context', 'vm')).toBe(3);
      expect(await value('.*')).toBe(3);
      expect((await read('--value', 'Both')).stderr).toContain('--context');
    });

    it('prints no value of some VM where there are several', async () => {
      publish([], [guest(1, sample('Name', 'one')), guest(2, sample('Name', 'two'))]);
      const { code, stdout, stderr } = await read('--value', 'Name', '--context', 'vm');
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain('several metrics');
    });

    it('finds values in documents of other programs, whatever their white space and quotes', async () => {
      forge(
        Buffer.from(
          `<metrics><metric type="string" context="host"><name> A </name><value>1</value></metric>` +
            `<metric\n context = 'vm' type='string'><name>A</name><value>\n2\n</value></metric></metrics>`,
        ),
      );
      expect(await value('A', '--context', 'host')).toBe('1\n');
      expect(await value('A', '--context', 'vm')).toBe('2\n');
    });

    it('knows its options, and no others', async () => {
      const version = JSON.parse(readFileSync(file('package.json'), 'utf8')) as { version: string };
      expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `vm-dump-metrics ${version.version}\n` });
      const help = await run(['-h']);
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(await run(['--help'])).toMatchObject({ code: 0, stdout: help.stdout });
      for (const args of [['-x'], ['disk'], ['-d'], ['--value'], ['--value', ''], ['--wait', '0'], ['--wait', '1e3']])
        expect({ args, code: (await run(args)).code }).toEqual({ args, code: 2 });
      expect(await run(['--value', 'A', '--context', 'all'])).toMatchObject({ code: 2, stdout: '' });
    });
  },
);

// The shell of busybox takes its own dd, whatever stands in PATH.
describe.each(SHELLS.slice(1).map((shell) => ({ shell, name: path.basename(shell[0]) })))(
  'vm-dump-metrics in $name, with a disk that changes at a chosen moment',
  ({ shell }) => {
    const read = async (first: string): Promise<Ended> =>
      await startTool(shell, ['--device', disk], { PATH: `${first}:${bin}` }).ended;

    it('reads again when the disk has changed in between', async () => {
      publish([sample('Host', 'new'), sample('More', 'x')]);
      const after = `${disk}.after`;
      copyFileSync(disk, after);
      rmSync(disk);
      publish([sample('Host', 'old')]);
      // The first read is for whether the disk can be read, the second for the header, the third for the content.
      const dd = ddThat(`[ $reads -ne 3 ] || cat ${after} >${disk}`);
      const { code, stdout } = await read(dd);
      expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn(after) });
    });

    it('reads again when the sum is wrong although the header has not changed', async () => {
      publish([sample('Host', 'right')]);
      const right = `${disk}.right`;
      copyFileSync(disk, right);
      overwrite(Buffer.from('torn'), 60);
      const dd = ddThat(`[ $reads -ne 3 ] || cat ${right} >${disk}`);
      const { code, stdout } = await read(dd);
      expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn(right) });
    });
  },
);

describe('the files of vm-dump-metrics', () => {
  it('pass shellcheck', () => {
    expect(execFileSync('shellcheck', ['-s', 'sh', TOOL], { encoding: 'utf8' })).toBe('');
  });

  it('are an executable program and a man page with the same options', async () => {
    expect(statSync(TOOL).mode & 0o111).toBe(0o111);
    const help = execFileSync(TOOL, ['--help'], { encoding: 'utf8' });
    const page = readFileSync(file('guest/vm-dump-metrics.1'), 'utf8').replaceAll('\\-', '-');
    const options = (text: string): ReadonlySet<string> => new Set(text.match(/(?<![\w-])--?[a-z]+\b/g));
    expect(options(page)).toEqual(options(help));
  });
});
