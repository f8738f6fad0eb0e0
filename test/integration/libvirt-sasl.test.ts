import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { vhostmd } from '../cli/commands/program.ts';
import { PROGRAM, readMetrics, scratch, type Scratch, startDaemon, until } from '../support/daemon.ts';
import { domainXml, type PrivateLibvirtd, startLibvirtd } from '../support/libvirtd.ts';
import { atTerminal } from '../support/terminal.ts';

let folder = '';
let libvirtd: PrivateLibvirtd;
let files: Scratch;
let uuid = '';

const credentials = (name: string, password: string): string => {
  const file = path.join(folder, name);
  const text = `[credentials-fred]\nauthname=fred\npassword=${password}\n\n[auth-libvirt-default]\ncredentials=fred\n`;
  writeFileSync(file, password === '' ? '' : text, { mode: 0o644 });
  return file;
};
let right: Readonly<Record<string, string>>;
let wrong: Readonly<Record<string, string>>;
let none: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-sasl-'));
  chmodSync(folder, 0o755);
  const database = path.join(folder, 'passwords');
  execFileSync('saslpasswd2', ['-p', '-c', '-a', 'libvirt', '-f', database, 'fred'], {
    input: 'secret',
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  });
  chmodSync(database, 0o644);
  writeFileSync(path.join(folder, 'libvirt.conf'), `mech_list: scram-sha-256\nsasldb_path: ${database}\n`);
  right = { LIBVIRT_AUTH_FILE: credentials('right.conf', 'secret') };
  wrong = { LIBVIRT_AUTH_FILE: credentials('wrong.conf', 'other') };
  none = { LIBVIRT_AUTH_FILE: credentials('none.conf', '') };
  libvirtd = await startLibvirtd({
    settings: 'auth_unix_rw = "sasl"\nauth_unix_ro = "sasl"\n',
    environment: { ...right, SASL_CONF_PATH: folder },
  });
  uuid = await libvirtd.create('web1');
  files = scratch('<metric type="string" context="vm"><name>State</name><stat>state.state</stat></metric>');
  writeFileSync(files.disk, Buffer.alloc(262_144));
});
afterAll(async () => {
  await libvirtd?.close();
  files?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const args = (): readonly string[] => ['attach', 'web1', '-c', libvirtd.uri, '-f', files.config];

describe('CASE D9: a libvirtd that wants a login by SASL', () => {
  it('lets attach in by auth.conf, to look and to change', async () => {
    const { code, stdout, stderr } = vhostmd([...args()], { env: right });
    expect(stderr).toContain(`Domain "web1", UUID ${uuid}`);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('<disk') });
    const xml = path.join(folder, 'web2.xml');
    writeFileSync(xml, domainXml('web2').replace('microvm', 'pc'), { mode: 0o644 });
    await libvirtd.virsh('define', xml);
    const words = ['attach', 'web2', '-c', libvirtd.uri, '-f', files.config, '--config'];
    expect(vhostmd(words, { env: right })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Attached /) });
    expect(await libvirtd.virsh('dumpxml', '--inactive', 'web2')).toContain(files.disk);
  });

  it.each([
    [
      'without credentials',
      () => none,
      /authentication callback available\. .*put authname and password into \S+auth\.conf /,
    ],
    [
      'with a wrong password',
      () => wrong,
      /authentication failed\. The server refused the login: compare .*auth\.conf /,
    ],
    [
      'without the mechanism',
      () => ({ ...right, SASL_PATH: path.join(folder, 'none') }),
      /No worthy mechs found\)\. .* apt-get install libsasl2-modules/,
    ],
  ])('%s attach says in one line what to do, asks nothing, and sends nobody to root', (_, env, message) => {
    const { code, stdout, stderr } = vhostmd([...args(), '--live'], { env: env() });
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(message)]);
    expect(stderr).not.toContain('needs root');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('asks whoever runs attach at a terminal', async () => {
    const words = [process.execPath, PROGRAM, ...args()].map((word) => `'${word}'`).join(' ');
    const child = spawn('/usr/bin/script', ['-qec', words, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, SHELL: '/bin/sh', ...none },
    });
    let shown = '';
    let code: number | null | undefined;
    child.stdout.on('data', (data: Buffer) => (shown += data.toString()));
    child.once('close', (status) => (code = status));
    await until('the question for the name', () => code !== undefined || shown.includes('authentication name'), 30_000);
    child.stdin.write('fred\n');
    await until('the question for the password', () => code !== undefined || shown.includes('password'), 30_000);
    child.stdin.write('secret\n');
    await until('the end', () => code !== undefined, 30_000);
    expect(shown).toContain(`Domain "web1", UUID ${uuid}`);
    expect(shown).not.toContain('secret');
    expect(code).toBe(0);
  });

  it('lets the daemon in by auth.conf', async () => {
    const daemon = await startDaemon(['-f', files.config, '-c', libvirtd.uri], { env: right });
    const has = async (): Promise<boolean> => (await readMetrics(files.disk)).some((metric) => metric.uuid === uuid);
    await until('the domain on the disk', has, 30_000);
    await daemon.stop();
  });

  it('is said by the daemon, which asks nobody, also at a terminal', () => {
    const { text } = atTerminal([process.execPath, PROGRAM, 'once', '-c', libvirtd.uri, '-f', files.config], none);
    expect(text).not.toContain('Please enter');
    expect(text).toContain('<metrics');
    expect(text).toMatch(/put authname and password into/);
  });
});
