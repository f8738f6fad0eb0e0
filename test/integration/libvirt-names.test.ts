import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { readMetrics, until } from '../support/daemon.ts';
import { action, libvirtStage, linesOf } from './libvirt-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const stage = libvirtStage();

// libvirt's QEMU driver accepts these names. It refuses a slash, so an injected command works in the shell's folder.
const hostile = (canary: string, uuidOfAnother: string): readonly string[] => [
  'plain-name_1.x',
  `$(${canary})`,
  `\`${canary}\``,
  `x; ${canary};`,
  `x' ; ${canary} ; echo '`,
  `x" ; ${canary} ; echo "`,
  `x\n${canary}\n`,
  `x\t&& ${canary}`,
  `| ${canary} #`,
  '-h',
  '--version',
  '\u202Eegro\u05D0 \u5B9D\u{1F600}',
  'long'.repeat(40),
  '4294967296',
  '1',
  uuidOfAnother,
  uuidOfAnother.replaceAll('-', ''),
  'NAME',
  'UUID',
  'VMID',
  'CONNECT',
  "]]><value><metric><!--'--> & %s\\n",
];

// UUID is a token, so the awk script avoids the word. (Only `virsh domuuid` refuses a UUID as a domain.)
const ACTIONS = {
  Bare: 'test "$(virsh -r CONNECT domid NAME)" = VMID && echo UUID',
  Double: `virsh -r CONNECT dominfo "NAME" | awk '/^U.ID/ {print $2}'`,
  Single: `virsh -r CONNECT dominfo 'NAME' | awk '/^U.ID/ {print $2}'`,
  Token: 'echo UUID',
  Environment: 'echo "$VHOSTMD_VM_UUID"',
} as const;

describe('Domains with hostile names', () => {
  it(
    'FAULTS 30: inject nothing into actions, and each gets the values of its own',
    async () => {
      const { libvirtd, folder, run } = stage();
      // An injected command runs the program "canary", which is first in PATH and writes a trace.
      const trace = path.join(folder, 'trace');
      const bin = path.join(folder, 'bin');
      mkdirSync(bin);
      writeFileSync(path.join(bin, 'canary'), `#!/bin/sh\necho "injected $*" >>${trace}\n`);
      chmodSync(path.join(bin, 'canary'), 0o755);
      const names = path.join(folder, 'names');
      mkdirSync(names);
      const first = await libvirtd.create('victim');
      const metrics =
        Object.entries(ACTIONS)
          .map(([name, command]) => action('vm', name, `PATH=${bin}:$PATH; ${command}`))
          .join('') +
        // This host metric runs "canary" on purpose, which shows that the test detects it.
        action('host', 'Control', `PATH=${bin}:$PATH; canary control; echo 1`) +
        // Programs that accept any name get the real one.
        action('vm', 'RealName', `printf %s "$VHOSTMD_VM_NAME" >${names}/UUID; echo 1`);
      const { disk } = await run(metrics, { period: 60 });
      const created = new Map<string, string>([[first, 'victim']]);
      for (const name of hostile('canary', first)) created.set(await libvirtd.create(name), name);

      const count = Object.keys(ACTIONS).length + 1;
      await until(
        'all values of all domains are on the disk',
        async () => (await readMetrics(disk)).length === 1 + created.size * count,
        30_000,
      );
      for (const { name, uuid, value } of await readMetrics(disk)) {
        if (uuid !== undefined && name !== 'RealName') expect(`${name}: ${value}`).toBe(`${name}: ${uuid}`);
      }
      expect(linesOf(trace)).toEqual(['injected control']);
      const told = readdirSync(names).map((uuid) => [uuid, readFileSync(path.join(names, uuid), 'utf8')] as const);
      expect(new Map(told)).toEqual(created);
    },
    120_000 * PATIENCE,
  );

  it('CASE B12: a program that looks up by name only finds a VM of any name by the environment, not by NAME', async () => {
    const { libvirtd, run } = stage();
    const uuid = await libvirtd.create('b\u00fcro 7');
    // `domuuid` accepts only names, like lookupByName of libvirt's bindings.
    const { disk } = await run(
      action('vm', 'ByName', 'virsh -r CONNECT domuuid NAME 2>/dev/null || echo none') +
        action('vm', 'ByEnvironment', 'virsh -r CONNECT domuuid "$VHOSTMD_VM_NAME"') +
        action('vm', 'ByUuid', 'virsh -r CONNECT domname UUID'),
    );
    const values = async () => new Map((await readMetrics(disk)).map(({ name, value }) => [name, value]));
    await until('all three values are there', async () => (await values()).size === 3);
    expect(Object.fromEntries(await values())).toEqual({ ByName: 'none', ByEnvironment: uuid, ByUuid: 'b\u00fcro 7' });
  });
});
