import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, it } from 'vitest';

import { soak } from './soak.ts';
import { leaks, verdict } from './verdict.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TICKS = 1300;
const PERIOD = 80;
const PARTS = 12;
const MOST = 300_000;
// Code compiled during the test would look like a leak; with these options a heap grows by at most 0.4 MiB a day.
const FLAGS = ['--no-opt', '--no-sparkplug'];
// The daemon that leaks 1 KiB at each tick grows by 17 MiB a day.
const LIMITS = { heap: 4 };

describe('Minutes of ticks with domains, actions, guests, reloads and a libvirtd that come and go', () => {
  beforeAll(() => {
    execFileSync('node_modules/.bin/tsc', ['-p', 'test/soak/tsconfig.json'], { cwd: ROOT });
  });

  it(
    'leave behind no memory, descriptor, thread or process, and each disk is valid at any time',
    async () => {
      const lines: string[] = [];
      const soaked = await soak({
        ticks: TICKS,
        period: PERIOD,
        parts: PARTS,
        leaky: true,
        flags: FLAGS,
        say: (line) => lines.push(line),
      });
      const said = lines.join('\n');
      expect(verdict(soaked, LIMITS), said).toEqual([]);
      // The same measurements of a daemon that leaks on purpose.
      const leaky = soaked.subjects.find(({ name }) => name === 'leaky');
      const found = leaky === undefined ? [] : leaks(leaky, LIMITS);
      expect(found, said).toEqual([
        expect.stringMatching(/^heap grows/),
        expect.stringMatching(/^descriptors grew from \d+ to \d+; then: .*; now: .*\/dev\/null/),
      ]);
    },
    MOST,
  );
});
