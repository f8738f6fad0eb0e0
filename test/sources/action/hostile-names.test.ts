import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { actions } from '../../../src/sources/action/actions.ts';
import { actionMetric, domainOf, PATH, UUID } from './requests.ts';

// `canary` is a command on the PATH of the actions; an injection that runs it leaves the file `sprung`.
let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vhostmd-names-'));
  writeFileSync(join(directory, 'canary'), `#!/bin/sh\necho sprung | tee ${directory}/sprung\n`);
  chmodSync(join(directory, 'canary'), 0o755);
});
afterAll(() => rmSync(directory, { recursive: true }));

const sprung = (): boolean => {
  const was = existsSync(join(directory, 'sprung'));
  rmSync(join(directory, 'sprung'), { force: true });
  return was;
};
const print = async (command: string, name: string): Promise<string | undefined> => {
  const outcome$For = actions({ path: `${directory}:${PATH}`, maxParallel: 4 });
  const metric = actionMetric(command, { context: 'vm' });
  const outcome = await firstValueFrom(outcome$For({ metric, domain: domainOf(name), late: false }));
  return outcome.ok ? outcome.samples[0]?.value : outcome.reason;
};

const HOSTILE = [
  '$(canary)',
  '`canary`',
  ';canary',
  '; canary;',
  '&canary',
  '& canary &',
  '&& canary',
  '|canary',
  '| canary |',
  '|| canary',
  '\ncanary',
  '\ncanary\n',
  'x\ncanary\n#',
  "'",
  '"',
  "';canary;'",
  '";canary;"',
  "'$(canary)'",
  '"$(canary)"',
  "'`canary`'",
  '"`canary`"',
  '`;canary;`',
  '\'"`$(canary)`"\'',
  '\\$(canary)',
  '\\`canary\\`',
  '\\\n$(canary)',
  '${IFS}canary',
  '${x:-$(canary)}',
  '$((canary))',
  '$(canary',
  'canary)',
  '>sprung',
  '< canary',
  '#$(canary)',
  '*',
  '?',
  '[a-z]*',
  '~',
  '~root',
  '{a,b}',
  '!canary',
  '$HOME',
  '$0',
  '$$',
  'a b',
  '\t',
  'a\\',
  '\\',
  '%s%n',
  '-h',
  '--help',
  '-rf',
  '--connect=test:///default',
  '7',
  '0',
  '99999999999999999999',
  '00000000-0000-0000-0000-000000000001',
  '00000000000000000000000000000001',
  '..',
  '.',
  '\u202eyranac',
  'gr\u00fcn',
  '\u{1f600}',
  '\ud800',
  'a\0b',
  `${'a'.repeat(299)}'`,
  '$(canary)'.repeat(33),
  '$NAME',
  '"NAME"',
  'NAME NAME',
  '$(canary) UUID',
  "'CONNECT'",
];
const SAFE = ['web-01', 'NAME', 'UUID', 'VMID', 'CONNECT', 'UUID-NAME', 'a.b:c@d+e_f', 'a'.repeat(300)];

describe('a hostile name', () => {
  it('would be found out: the canary works', async () => {
    expect(await print('echo $(canary)', 'x')).toBe('sprung');
    expect(sprung()).toBe(true);
  });

  it('FAULTS 30: is one of at least 45 cases', () => {
    expect(new Set(HOSTILE).size).toBeGreaterThanOrEqual(45);
  });

  it.each([...HOSTILE, ...SAFE].map((name) => ({ name })))(
    'FAULTS 30: $name injects nothing and names the right VM',
    async ({ name }) => {
      const expected = SAFE.includes(name) ? name : UUID;
      const printed = await Promise.all([
        print("printf '%s' NAME", name),
        print("printf '%s' 'NAME'", name),
        print(`printf '%s' "NAME"`, name),
        print("printf '%s' `printf '%s' NAME`", name),
        print(`printf '%s' "$(printf '%s' 'NAME')"`, name),
        print(`sh -c 'printf "%s" NAME'`, name),
        print(`eval 'printf "%s" NAME'`, name),
      ]);
      expect(printed).toEqual(printed.map(() => expected));
      expect(await print("echo 'UUID' VMID", name)).toBe(`${UUID} 7`);
      expect(sprung()).toBe(false);
    },
  );

  it.each(HOSTILE.filter((name) => !/[\0\ud800]/.test(name)).map((name) => ({ name })))(
    'FAULTS 30: $name arrives in the environment as it is',
    async ({ name }) => {
      expect(await print(`printf '[%s]' "$VHOSTMD_VM_NAME"`, name)).toBe(`[${name}]`);
      expect(sprung()).toBe(false);
    },
  );
});
