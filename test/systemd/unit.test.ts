import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, describe, expect, it } from 'vitest';

import { PROGRAM } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';

const run = promisify(execFile);
const UNIT = fileURLToPath(new URL('../../conf/vhostmd.service', import.meta.url));
const unit = readFileSync(UNIT, 'utf8');
const disks = readFileSync(fileURLToPath(new URL('../../conf/vhostmd-disks.service', import.meta.url)), 'utf8');

const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-unit-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Returns systemd's findings about a unit, with the path of the built program. */
const verified = async (text: string, name = 'vhostmd.service'): Promise<string> => {
  const file = path.join(directory, name);
  writeFileSync(file, text.replaceAll(/^(Exec\w+=[-+]*)vhostmd /gm, `$1${PROGRAM} `));
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file]).catch(
    (error: { stderr: string }) => error,
  );
  return stderr;
};

it('systemd finds nothing wrong in the unit', async () => {
  expect(await verified(unit)).toBe('');
  expect(await verified(unit.replace('KillMode=mixed', 'KillMode=some'))).toContain('kill mode');
});

it('CASE A3: systemd finds nothing wrong in the unit that makes the disks, which is for the same user and folder', async () => {
  expect(await verified(disks, 'vhostmd-disks.service')).toBe('');
  for (const setting of ['User', 'RuntimeDirectory', 'RuntimeDirectoryPreserve', 'RuntimeDirectoryMode']) {
    const line = new RegExp(`^${setting}=.*$`, 'm');
    expect(line.exec(disks)?.[0]).toBe(line.exec(unit)?.[0]);
  }
});

it('CASE A6: the units name the program without a folder, which systemd finds in /usr/local/bin as in /usr/bin', () => {
  const commands = [unit, disks].flatMap((text) =>
    [...text.matchAll(/^Exec\w+=[-+]*(\S*vhostmd)\s/gm)].map(([, name]) => name),
  );
  expect(commands.length).toBeGreaterThan(3);
  expect(new Set(commands)).toEqual(new Set(['vhostmd']));
});

it('the unit is exposed to 2.0 of 10 at most', async () => {
  const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', UNIT]);
  expect(stdout).toContain('OK');
});

it('the user of the unit is the one that systemd-sysusers makes', async () => {
  const users = fileURLToPath(new URL('../../conf/vhostmd.sysusers', import.meta.url));
  const root = path.join(directory, 'root');
  mkdirSync(path.join(root, 'etc'), { recursive: true });
  await run('systemd-sysusers', [`--root=${root}`, users]);
  const [user] = readFileSync(path.join(root, 'etc/passwd'), 'utf8').split(':');
  expect(unit).toContain(`\nUser=${user}\n`);
});

it.each([
  ['DynamicUser', 'removes the disk in /dev/shm'],
  ['RemoveIPC', 'does too'],
  ['MemoryDenyWriteExecute', 'is the end of V8'],
  ['ProcSubset', 'hides the statistics of the host'],
  ['PrivateNetwork', 'hides the network statistics of the host'],
  ['ProtectHostname', 'hides a new name of the host'],
])('the unit does not use %s, which %s', (setting) => {
  expect(unit).not.toMatch(new RegExp(`^${setting}=`, 'm'));
});

describe('CASE D7: a reload', () => {
  const commands = [...unit.matchAll(/^ExecReload=(.*)$/gm)].map(([, command = '']) => command);
  const [check = ''] = commands;
  const checked = (file: string) => {
    const [program, ...args] = check
      .replace('/etc/vhostmd/vhostmd.conf', file)
      .replace(/^vhostmd\b/, PROGRAM)
      .split(' ');
    return spawnSync(program ?? '', args, { encoding: 'utf8', timeout: 50_000 * PATIENCE });
  };

  it('CASE D7: asks for what the daemon runs with, and then signals the daemon', () => {
    expect(check).toMatch(/^vhostmd check /);
    expect(/^ExecStart=.* -f (\S+)/m.exec(unit)?.[1]).toBe(check.split(' ').at(-1));
    expect(commands.at(-1)).toBe('/bin/sh -c "kill -HUP $MAINPID"');
  });

  it('CASE D7: fails with the line of the mistake where the file has one, and is silent where it has none', () => {
    const good = fileURLToPath(new URL('../../conf/vhostmd.xml', import.meta.url));
    expect(checked(good)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const bad = path.join(directory, 'bad.conf');
    writeFileSync(bad, readFileSync(good, 'utf8').replace('<name>HostName</name>', '<nmae>HostName</nmae>'));
    const { status, stdout, stderr } = checked(bad);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${bad}:\\d+:\\d+: .*<nmae>`, 'm'));
    expect(checked(path.join(directory, 'missing.conf')).status).toBe(2);
  });
});
