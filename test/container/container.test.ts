import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startLibvirtd, type PrivateLibvirtd } from '../support/libvirtd.ts';

const CONFIGURATION = fileURLToPath(new URL('../../conf/vhostmd.xml', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../dist/vhostmd.cjs', import.meta.url));
const PODMAN = process.env['VHOSTMD_PODMAN'] ?? 'podman';
const IMAGE = process.env['VHOSTMD_IMAGE'] ?? 'vhostmd';
// The user of the private libvirtd, whose folder nobody else may enter.
const USER = 65534;

const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-container-'));
const podman = (...args: readonly string[]): string =>
  execFileSync(PODMAN, args, { encoding: 'utf8', timeout: 120_000 }).trim();
const valueOf = (document: string, name: string, context = 'host'): string | undefined =>
  new RegExp(`context='${context}'[^>]*>\\s*<name>${name}</name>\\s*<value>(.*)</value>`).exec(document)?.[1];

let libvirtd: PrivateLibvirtd;
/** Options of `podman run` as in docs/container.md, with folders and a libvirt of the test's own. */
const options = (namespaces: readonly string[] = ['--pid=host', '--uts=host']): readonly string[] => [
  ...namespaces,
  '--network=none',
  '--read-only',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
  `--user=${USER}:${USER}`,
  `--volume=${path.dirname(new URL(libvirtd.uri).searchParams.get('socket') ?? '')}:/run/libvirt:ro`,
  `--volume=${folder}/shm:/dev/shm`,
  `--volume=${folder}/run:/run/vhostmd`,
  `--volume=${folder}/os-release:/etc/os-release:ro`,
  '--env=LIBVIRT_DEFAULT_URI=qemu+unix:///session?socket=/run/libvirt/libvirt-sock',
];

beforeAll(async () => {
  for (const name of ['shm', 'run']) {
    mkdirSync(path.join(folder, name));
    execFileSync('chown', [`${USER}:${USER}`, path.join(folder, name)]);
  }
  execFileSync('chmod', ['755', folder]);
  writeFileSync(path.join(folder, 'os-release'), 'NAME="The host"\n');
  libvirtd = await startLibvirtd();
  await libvirtd.create('contained');
});

afterAll(async () => {
  await libvirtd.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the image', () => {
  it('runs as an ordinary user unless told otherwise, and has the preset', () => {
    expect(podman('run', '--rm', '--network=none', '--entrypoint=id', IMAGE)).toMatch(/^uid=65532\b.* gid=65532\b/);
    expect(podman('run', '--rm', '--network=none', IMAGE, 'check', '--quiet')).toBe('');
    expect(podman('run', '--rm', '--network=none', '--entrypoint=cat', IMAGE, '/etc/vhostmd/vhostmd.conf')).toBe(
      readFileSync(CONFIGURATION, 'utf8').trim(),
    );
  });

  it('has neither npm nor the sources', () => {
    const files = podman('run', '--rm', '--network=none', '--entrypoint=ls', IMAGE, '/', '/usr/local/lib/node_modules');
    expect(files).toContain('vhostmd');
    expect(files).not.toMatch(/^(?:build|npm)$/m);
  });

  it('prints a snapshot with the name and the system of the host, and with its VM', () => {
    const snapshot = podman('run', '--rm', ...options(), IMAGE, 'once');
    expect(valueOf(snapshot, 'HostName')).toBe(hostname());
    expect(valueOf(snapshot, 'VirtualizationVendor')).toBe('The host');
    expect(valueOf(snapshot, 'ResourceProcessorLimit', 'vm')).toBe('1');
  });

  it('has the values of VMs without the processes of the host, too, and then its own host name', () => {
    const snapshot = podman('run', '--rm', ...options(['--hostname=inside']), IMAGE, 'once');
    expect(Number(valueOf(snapshot, 'TotalCPUTime', 'vm'))).toBeGreaterThan(0);
    expect(valueOf(snapshot, 'HostName')).toBe('inside');
  });
});

describe('the daemon in a container', () => {
  const NAME = 'vhostmd-test';
  const disk = path.join(folder, 'shm/vhostmd0');
  const dump = (): string => execFileSync(process.execPath, [PROGRAM, 'dump', disk], { encoding: 'utf8' });
  const logOf = (): string => execFileSync('sh', ['-c', `"${PODMAN}" logs ${NAME} 2>&1`], { encoding: 'utf8' });
  const eventually = async (holds: () => boolean): Promise<void> => {
    for (let tries = 0; !holds(); tries += 1) {
      if (tries === 150) throw new Error(logOf());
      await sleep(200);
    }
  };

  beforeAll(async () => {
    podman('run', '--detach', `--name=${NAME}`, ...options(), IMAGE);
    await eventually(() => logOf().includes('Ready'));
  });

  it('writes the disk of the host as its own user', () => {
    expect(valueOf(dump(), 'ResourceProcessorLimit', 'vm')).toBe('1');
    expect(statSync(disk)).toMatchObject({ uid: USER, gid: USER });
  });

  it('has the process of the VM open, from which it reads the CPU time', () => {
    const pid = podman('inspect', '--format={{.State.Pid}}', NAME);
    const open = execFileSync('sh', ['-c', `ls -l /proc/${pid}/fd`], { encoding: 'utf8' });
    expect(open).toMatch(/\/proc\/\d+\/stat$/m);
  });

  it('answers `vhostmd status` inside', () => {
    expect(podman('exec', NAME, 'vhostmd', 'status')).toContain('1 VM');
  });

  it('reloads on SIGHUP, and ends in time', async () => {
    podman('kill', '--signal=HUP', NAME);
    await eventually(() => /[Rr]eload/.test(logOf()));
    const before = Date.now();
    podman('stop', '--time=30', NAME);
    expect(Date.now() - before).toBeLessThan(20_000);
    expect(podman('inspect', '--format={{.State.ExitCode}}', NAME)).toBe('0');
    expect(existsSync(disk)).toBe(true);
    podman('rm', NAME);
  });
});
