import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { recogniser } from '../../../src/cli/migrate/recognise.ts';
import { type SampleHost, sampleHost, sampleHosts } from '../../../src/cli/migrate/sample-host.ts';
import { predict } from '../../../src/cli/migrate/shell/predict.ts';
import { statisticsOf } from '../../../src/cli/migrate/statistics-of.ts';
import { checkValue, formatStat } from '../../../src/model/value.ts';
import { substitute } from '../../../src/sources/action/substitute.ts';
import { metricOf, OF_PROCPS_4, type Pipeline, RECOGNISED } from './pipelines.ts';

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

  const commandOf = ({ command, context }: Pipeline, { domain }: SampleHost): string =>
    substitute(command, { domain: context === 'vm' ? domain : undefined, path: '' });

  const really = (pipeline: Pipeline, host: SampleHost): string => {
    const moved = commandOf(pipeline, host)
      .replaceAll(/\/(?:proc|etc)\/(?!xen)/g, (place) => folder + place)
      .replaceAll(/(?:\/usr)?\/bin\/(virsh|hostname|date)/g, '$1')
      // Debian has mawk alone.
      .replaceAll('gawk', 'awk');
    const env = { PATH: `${folder}/bin:/usr/bin:/bin`, LC_ALL: 'C', VHOSTMD_VM_NAME: host.domain.name };
    try {
      const printed = execFileSync('/bin/sh', ['-c', moved], {
        encoding: 'utf8',
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 10_000,
      });
      return printed.trim();
    } catch {
      return '';
    }
  };

  it.each([3, 4] as const)('is what a real shell prints with its filters, beside procps %i', (procps) => {
    // The huge host is left out: mawk prints its numbers as 2.1e+09.
    for (const host of sampleHosts(procps, false).filter((_, index) => index !== 3)) {
      stage(host);
      const all = [...RECOGNISED, ...OF_PROCPS_4];
      const predicted = all.map((pipeline) => {
        const { output, status } = predict(commandOf(pipeline, host), host);
        return { command: pipeline.command, output: status === 0 ? output.trim() : '' };
      });
      expect(predicted).toEqual(all.map((pipeline) => ({ command: pipeline.command, output: really(pipeline, host) })));
    }
  });

  it('is the value of the statistic also for changed pipelines that are still recognised, on hosts not seen before', () => {
    const recognise = recogniser({ procps: 4, xen: false });
    const pieces = [...' |$12340.*^/+-;()[]{}!~,i"', "'", '\n', 'NF', '&&', '||', 'print', 'sum', '-n ', 's/'];
    const changed = fc
      .tuple(fc.constantFrom(...RECOGNISED, ...OF_PROCPS_4), fc.nat(400), fc.nat(2), fc.constantFrom('', ...pieces))
      .map(([pipeline, place, length, piece]) => {
        const at = place % (pipeline.command.length + 1);
        return { ...pipeline, command: pipeline.command.slice(0, at) + piece + pipeline.command.slice(at + length) };
      });
    const kept = fc.sample(changed, { numRuns: 2000, seed: 1 }).flatMap((pipeline) => {
      const verdict = recognise(metricOf(pipeline.command, pipeline));
      return 'stat' in verdict ? [{ ...pipeline, ...verdict }] : [];
    });
    expect(kept.length).toBeGreaterThan(100);
    // Of values that mawk prints without an exponent.
    const profiles = [991, 55_114].map((seed) => ({ seed, size: 0.02, exact: false, pageSize: 4096 }));
    const wrong = profiles.flatMap((profile) => {
      const host = sampleHost(profile, 4, false);
      stage(host);
      return kept.flatMap((pipeline) => {
        const printed = really(pipeline, host);
        // An error of syntax in one awk is none in another.
        if (printed === '') return [];
        const ours = formatStat(
          pipeline.type,
          statisticsOf(host, pipeline.context).get(pipeline.stat) ?? '',
          pipeline.scale,
        );
        const theirs = checkValue(pipeline.type, printed);
        const same =
          ours.ok &&
          theirs.ok &&
          (pipeline.type === 'string' ? ours.value === theirs.value : isNear(theirs.value, ours.value));
        return same ? [] : [{ command: pipeline.command, printed, ours }];
      });
    });
    expect(wrong).toEqual([]);
  });
});

/** True if a printed number is that of a statistic, up to one in its last digit. */
const isNear = (printed: string, exact: string): boolean =>
  Math.abs(Number(printed) - Number(exact)) <= 10 ** -(printed.split('.')[1]?.length ?? 0) + 1e-9;
