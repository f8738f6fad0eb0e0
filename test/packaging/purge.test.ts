import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { ROOT } from './packages.ts';

const POSTRM = path.join(ROOT, 'packaging/deb/postrm');

/**
 * Runs a shell script in which `postrm` is the script of the Debian packages. /dev/shm, /run, /usr/lib and the folders
 * of systemd are separate ones: nothing outside is changed.
 */
const inOwnFolders = (script: string): string =>
  execFileSync(
    'unshare',
    [
      '--mount',
      'sh',
      '-euc',
      `
      for folder in /dev/shm /run /etc/systemd /var/lib/systemd; do mount -t tmpfs tmpfs $folder; done
      mkdir /run/upper /run/work /run/vhostmd
      mount -t overlay overlay -o lowerdir=/usr/lib,upperdir=/run/upper,workdir=/run/work /usr/lib
      postrm() { sh "$postrm" "$@" 2>&1; }
      disk() { printf 'mvbd\\000\\000\\000\\000' >"$1"; }
      left() { find /dev/shm /run -path '/run/[uw]*' -prune -o -name '*vhostmd*' -print -o -path '/run/vhostmd/*' -print | sort; }
      ${script}`,
    ],
    {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, postrm: POSTRM, DPKG_ROOT: '', DPKG_MAINTSCRIPT_PACKAGE: 'vhostmd' },
    },
  ).trim();

const DISKS = 'disk /dev/shm/vhostmd0; disk /run/vhostmd/a.disk; disk /run/vhostmd/b.disk; touch /run/vhostmd/status';

describe('purging the Debian package', () => {
  it('leaves no metrics disk and no folder', () => {
    expect(inOwnFolders(`${DISKS}; left | wc -l; postrm purge; left`)).toBe('5');
  });

  it.each(['remove', 'upgrade', 'abort-install', 'disappear'])('leaves everything at %s', (action) => {
    expect(inOwnFolders(`${DISKS}; postrm ${action} 2; left | wc -l`)).toBe('5');
  });

  it('leaves the disks that a VM has open, with the command that removes them', () => {
    const output = inOwnFolders(`${DISKS}; exec 7</dev/shm/vhostmd0 8</run/vhostmd/b.disk; postrm purge; left`);
    expect(output.split('\n')).toEqual([
      'vhostmd: /dev/shm/vhostmd0 stays, because a VM has it open. Detach it from the VM, then run: rm /dev/shm/vhostmd0',
      'vhostmd: /run/vhostmd/b.disk stays, because a VM has it open. Detach it from the VM, then run: rm /run/vhostmd/b.disk',
      '/dev/shm/vhostmd0',
      '/run/vhostmd',
      '/run/vhostmd/b.disk',
    ]);
  });

  it.each([
    ['another file', 'echo mine >/dev/shm/vhostmd0'],
    ['a link to a metrics disk', 'disk /dev/shm/other; ln -s other /dev/shm/vhostmd0'],
    ['a fifo', 'mkfifo /dev/shm/vhostmd0'],
    ['a folder', 'mkdir /dev/shm/vhostmd0'],
  ])('leaves %s at the name of the disk', (_, make) => {
    expect(inOwnFolders(`${make}; postrm purge; left`)).toBe('/dev/shm/vhostmd0');
  });

  it('leaves everything to vhostmd-standalone if that is installed', () => {
    expect(
      inOwnFolders(`${DISKS}; mkdir /usr/lib/vhostmd; touch /usr/lib/vhostmd/package.json; postrm purge; left | wc -l`),
    ).toBe('5');
  });

  it('removes the links by which systemd starts the services', () => {
    const output = inOwnFolders(`
      mkdir -p /usr/lib/systemd/system
      cp ${ROOT}/conf/*.service /usr/lib/systemd/system
      for unit in vhostmd vhostmd-disks; do deb-systemd-helper enable $unit.service; done
      find /etc/systemd /var/lib/systemd -name '*vhostmd*' | wc -l
      rm /usr/lib/systemd/system/vhostmd*
      postrm purge
      find /etc/systemd /var/lib/systemd -name '*vhostmd*'`);
    expect(Number(output.split('\n')[0])).toBeGreaterThan(4);
    expect(output.split('\n')).toHaveLength(1);
  });
});
