import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { dump$ } from '../../src/client/read-metrics.ts';
import { ofDomain, sample } from '../../src/testing/snapshots.ts';
import { diskStage, documentOn, forge, publish } from './disk-stage.ts';
import { type Ended, SHELLS, TOOL } from './tool.ts';

const { folder, disk, run } = diskStage();
const file = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

describe.each(SHELLS)('the output of vm-dump-metrics in $name', ({ shell }) => {
  const read = async (...args: readonly string[]): Promise<Ended> => await run(shell, ['--device', disk(), ...args]);
  const value = async (...args: readonly string[]): Promise<string | number | null> => {
    const { code, stdout } = await read('--value', ...args);
    return code === 0 ? Buffer.from(stdout, 'latin1').toString('utf8') : code;
  };

  it('writes to a file, as a whole and without anything beside it', async () => {
    publish(disk(), [sample('Host', 'a')]);
    const place = mkdtempSync(path.join(folder, 'place-'));
    const dest = path.join(place, 'a file');
    for (const args of [['-d', dest], [`-d${dest}`], ['--dest', dest], [`--dest=${dest}`], ['-bvd', dest]]) {
      writeFileSync(dest, 'old');
      const before = statSync(dest).ino;
      const { code, stdout } = await read(...args);
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(readFileSync(dest, 'latin1')).toBe(documentOn(disk()));
      expect(statSync(dest).ino).not.toBe(before);
    }
    expect(readdirSync(place)).toEqual(['a file']);
    const link = path.join(place, 'link');
    symlinkSync(dest, link);
    expect(await read('-d', link)).toMatchObject({ code: 0 });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(await read('-d', '/nowhere/file')).toMatchObject({ code: 1, stdout: '' });
  });

  it('leaves the file as it was when there are no metrics, and nothing beside it', async () => {
    const place = mkdtempSync(path.join(folder, 'kept-'));
    const dest = path.join(place, 'dest');
    writeFileSync(dest, 'old');
    expect(await read('-d', dest)).toMatchObject({ code: 1 });
    publish(disk(), [sample('Host', 'a')]);
    expect(await read('-d', dest, '--value', 'Missing')).toMatchObject({ code: 3 });
    expect(readFileSync(dest, 'utf8')).toBe('old');
    expect(readdirSync(place)).toEqual(['dest']);
  });

  it('CASE E8: lists the metrics with units and contexts, one harmless line each', async () => {
    publish(
      disk(),
      [{ name: 'FreeMemory', type: 'uint64', value: '16180', unit: 'MiB' }, sample('Ho\u009b[31m', 'a & b')],
      [ofDomain(1, sample('Both', 'vm'))],
    );
    const { code, stdout } = await read('--list');
    expect([code, stdout.split('\n').map((line) => line.split(/ {2,}/))]).toEqual([
      0,
      [
        ['FreeMemory', '16180 MiB', 'host'],
        ['Ho&#x9B;[31m', 'a & b', 'host'],
        ['Both', 'vm', `vm ${ofDomain(1).domain.uuid}`],
        [''],
      ],
    ]);
    expect((await read('--list', '--context', 'vm')).stdout).toBe(`Both  vm  vm ${ofDomain(1).domain.uuid}\n`);
    expect(await value('FreeMemory')).toBe('16180\n');
  });

  it('CASE E8: prints JSON in ASCII, the same as vhostmd dump --json reads', async () => {
    const odd = `a<b & "c" 'd' &lt; \\n \\u0041 \t ä€😀 \u009b[31m</value>`;
    publish(
      disk(),
      [sample('Odd', odd), { name: 'Free', type: 'uint64', value: '1', unit: 'MiB' }],
      [ofDomain(1, sample(odd, 'vm'))],
    );
    const { code, stdout } = await read('--json');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\n -~]*$/);
    const dumped = await firstValueFrom(dump$(disk()));
    expect(JSON.parse(stdout)).toEqual(dumped.ok && dumped.value.metrics);
    forge(disk(), Buffer.from('<metrics>\n</metrics>\n'));
    expect(JSON.parse((await read('--json')).stdout)).toEqual([]);
    forge(
      disk(),
      Buffer.from(
        '<metrics><metric type="string" context="host"><name>\xff</name><value>\xc3\xa4</value></metric></metrics>\n',
        'latin1',
      ),
    );
    expect(JSON.parse((await read('--json')).stdout)).toEqual([
      { context: 'host', name: '\ufffd', type: 'string', value: 'ä' },
    ]);
  });

  it('CASE E8: says what to ask for where nothing is attached, and not where a given disk is none', async () => {
    const nothing = await run(shell, ['--wait', '1']);
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toMatch(
      /nothing is attached to this virtual machine. Ask the administrator of its host for: vhostmd attach \S+ --live --config\n/,
    );
    expect((await run(shell, ['--device', '/etc/passwd'])).stderr).not.toContain('nothing is attached');
  });

  it('CASE E8: takes one form at a time', async () => {
    expect(await read('--json', '--value', 'a')).toMatchObject({ code: 2 });
    expect((await read('--json', '--value', 'a')).stderr).toContain('--value and --json exclude each other');
  });

  it('prints one value, with references decoded', async () => {
    publish(
      disk(),
      [sample('Odd', `a<b & "c" 'd' &lt; \\n ä€😀`), sample('Both', 'host')],
      [ofDomain(1, sample('Both', 'vm'))],
    );
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
    publish(disk(), [], [ofDomain(1, sample('Name', 'one')), ofDomain(2, sample('Name', 'two'))]);
    const { code, stdout, stderr } = await read('--value', 'Name', '--context', 'vm');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('several metrics');
  });

  it('finds values in documents of other programs, whatever their white space and quotes', async () => {
    forge(
      disk(),
      Buffer.from(
        `<metrics><metric type="string" context="host"><name> A </name><value>1</value></metric>` +
          `<metric\n context = 'vm' type='string'><name>A</name><value>\n2\n</value></metric></metrics>`,
      ),
    );
    expect(await value('A', '--context', 'host')).toBe('1\n');
    expect(await value('A', '--context', 'vm')).toBe('2\n');
  });

  it('accepts its options, and no others', async () => {
    const version = JSON.parse(readFileSync(file('package.json'), 'utf8')) as { version: string };
    expect(await run(shell, ['--version'])).toMatchObject({ code: 0, stdout: `vm-dump-metrics ${version.version}\n` });
    const help = await run(shell, ['-h']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(await run(shell, ['--help'])).toMatchObject({ code: 0, stdout: help.stdout });
    for (const args of [['-x'], ['disk'], ['-d'], ['--value'], ['--value', ''], ['--wait', '0'], ['--wait', '1e3']])
      expect({ args, code: (await run(shell, args)).code }).toEqual({ args, code: 2 });
    expect(await run(shell, ['--value', 'A', '--context', 'all'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('the files of vm-dump-metrics', () => {
  it('pass shellcheck', () => {
    expect(execFileSync('shellcheck', ['-s', 'sh', TOOL], { encoding: 'utf8' })).toBe('');
  });

  it('are an executable program', () => {
    expect(statSync(TOOL).mode & 0o111).toBe(0o111);
  });
});
