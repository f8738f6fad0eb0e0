import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { type SampleHost, sampleHosts } from '../../../src/cli/migrate/sample-host.ts';
import { predict } from '../../../src/cli/migrate/shell/predict.ts';
import { substitute } from '../../../src/sources/action/substitute.ts';
import { OF_PROCPS_4, RECOGNISED } from './pipelines.ts';

// The tools of the host themselves; all filters and the shell are the real ones.
const STUBS = ['virsh', 'free', 'vmstat', 'hostname', 'uname', 'date', 'getconf', 'xm', 'xl'];
const CALLS = [
  'virsh dominfo NAME',
  'virsh dominfo UUID',
  'virsh dominfo VMID',
  'virsh nodeinfo',
  'virsh version',
  'virsh hostname',
  'free',
  'free -b',
  'free -m',
  'vmstat -s',
  'hostname',
  'hostname -s',
  'uname -n',
  'date +%s',
  'getconf CLK_TCK',
  'getconf PAGESIZE',
  'xm info',
  'xl info',
];
const FILES = ['/proc/stat', '/proc/meminfo', '/proc/vmstat', '/proc/uptime', '/proc/loadavg', '/proc/cpuinfo'];

describe('The predicted output of an action', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-predict-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Makes the tools and files of a sample host. */
  const stage = (host: SampleHost): void => {
    const write = (name: string, text: string): void => {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    };
    for (const file of [...FILES, '/etc/os-release', '/proc/sys/kernel/hostname']) write(file, host.file(file));
    for (const call of CALLS) {
      const text = substitute(call, { domain: host.domain, path: '' });
      write(`calls/${text}`, predict(text, host).output);
    }
    for (const name of STUBS) {
      // Options that change nothing are before the call, as virsh has them.
      const skip = name === 'virsh' ? 'while case $1 in -*) :;; *) false;; esac; do shift; done;' : '';
      write(`bin/${name}`, `#!/bin/sh\n${skip} exec cat "${folder}/calls/${name}\${*:+ $*}"\n`);
      chmodSync(path.join(folder, 'bin', name), 0o755);
    }
  };

  const really = (command: string, { domain }: SampleHost): string => {
    const moved = substitute(command, { domain, path: '' })
      .replaceAll(/\/(?:proc|etc)\/(?!xen)/g, (place) => folder + place)
      .replaceAll(/(?:\/usr)?\/bin\/(virsh|hostname|date)/g, '$1')
      // Debian has mawk alone.
      .replaceAll('gawk', 'awk');
    const env = { PATH: `${folder}/bin:/usr/bin:/bin`, LC_ALL: 'C', VHOSTMD_VM_NAME: domain.name };
    try {
      return execFileSync('/bin/sh', ['-c', moved], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      return '';
    }
  };

  it.each([3, 4] as const)('is what a real shell prints with its filters, beside procps %i', (procps) => {
    // The huge host is left out: mawk prints its numbers as 2.1e+09.
    for (const host of sampleHosts(procps, false).filter((_, index) => index !== 3)) {
      stage(host);
      const all = [...RECOGNISED, ...OF_PROCPS_4].map(({ command }) => command);
      const predicted = all.map((command) => {
        const { output, status } = predict(substitute(command, { domain: host.domain, path: '' }), host);
        return { command, output: status === 0 ? output.trim() : '' };
      });
      const printed = all.map((command) => ({ command, output: really(command, host).trim() }));
      expect(predicted).toEqual(printed);
    }
  });
});
