import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const ROOT = path.join(import.meta.dirname, '../..');

/** Runs a program to its end, and returns its output. */
export const run = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
  execFileSync(command, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 26 });

/** Makes a folder for packages, which `remove` deletes. */
export const scratch = () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-packages-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};

/** Builds packages in `folder`; returns their paths. They are compressed less than usual, which is faster. */
export const buildPackages = (
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): readonly string[] => {
  mkdirSync(folder, { recursive: true });
  const output = run('sh', ['scripts/package.sh', '--output', folder, ...args], {
    DPKG_DEB_COMPRESSOR_LEVEL: '0',
    ...env,
  });
  return output.trim().split('\n');
};

/** Paths that every package of the daemon has, by their modes. */
export const HOST_FILES: readonly (readonly [mode: string, path: string])[] = [
  ['lrwxrwxrwx', '/usr/bin/vhostmd'],
  ['lrwxrwxrwx', '/usr/sbin/vhostmd'],
  ['-rwxr-xr-x', '/usr/libexec/vhostmd'],
  ['-rw-r--r--', '/etc/vhostmd/vhostmd.conf'],
  ['-rwxr-xr-x', '/etc/libvirt/hooks/qemu.d/vhostmd'],
  ['-rw-r--r--', '/usr/lib/systemd/system/vhostmd.service'],
  ['-rw-r--r--', '/usr/lib/systemd/system/vhostmd-disks.service'],
  ['-rw-r--r--', '/usr/lib/sysusers.d/vhostmd.conf'],
  ['-rw-r--r--', '/usr/lib/vhostmd/package.json'],
  ['-rw-r--r--', '/usr/lib/vhostmd/dist/vhostmd.cjs'],
  ['-rw-r--r--', '/usr/share/vhostmd/vhostmd.dtd'],
  ['-rw-r--r--', '/usr/share/vhostmd/metric.dtd'],
  ['-rw-r--r--', '/usr/share/vhostmd/suse.xml'],
  ['-rw-r--r--', '/usr/share/vhostmd/slow.xml'],
  ['-rw-r--r--', '/usr/share/vhostmd/contention.xml'],
  ['-rw-r--r--', '/usr/share/bash-completion/completions/vhostmd'],
  ['-rw-r--r--', '/usr/share/fish/vendor_completions.d/vhostmd.fish'],
  // Every page, whatever its name.
  ...readdirSync(path.join(ROOT, 'docs/man')).map(
    (page) => ['-rw-r--r--', `/usr/share/man/man${page.at(-1)}/${page}.gz`] as const,
  ),
];

/** Paths that the package of a guest has. */
export const GUEST_FILES: readonly (readonly [mode: string, path: string])[] = [
  ['-rwxr-xr-x', '/usr/bin/vm-dump-metrics'],
  ['lrwxrwxrwx', '/usr/sbin/vm-dump-metrics'],
  ['-rw-r--r--', '/usr/share/man/man1/vm-dump-metrics.1.gz'],
];
