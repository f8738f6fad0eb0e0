import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { readConfig } from '../../src/config/parse.ts';
import type { Domain } from '../../src/model/metric.ts';
import { environment, substitute } from '../../src/sources/action/substitute.ts';
import { end, repositoryFile, spawnOther } from '../daemon.ts';
import { type PeerKind, peerOf, printed, type Surroundings } from './peer.ts';

/** SAP's 17 metrics by shell actions. */
export const ACTIONS = 'test/fixtures/config/rhel-style.xml';

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const commandsOf = ({ libvirtd: { uri }, domains }: Surroundings): readonly string[] => {
  const config = readConfig(repositoryFile(ACTIONS));
  if (!config.ok) throw new Error(`${ACTIONS} has mistakes`);
  const named = domains.map((name, id): Domain => ({ name, uuid: name, id }));
  return config.value.metrics.flatMap(({ context, source }) =>
    source.kind === 'action'
      ? (context === 'vm' ? named : [undefined]).map((domain) =>
          substitute(source.command, { domain, connect: uri, path: '' }),
        )
      : [],
  );
};

// Each command has a shell of its own, as with popen(3). Each collection prints the number of values.
const scriptOf = (commands: readonly string[]): string => `echo ready
while read -r _; do
values=0
${commands.map((command) => `v=$(sh -c ${quoted(command)}); [ -n "$v" ] && values=$((values + 1))`).join('\n')}
echo $values
done
`;

/** A stand-in for the C daemon: only the actions of a tick, one after the other. */
export const sequentialShell: PeerKind = {
  name: 'sh, one action after the other',
  times: 1,
  alone: false,
  start: async (surroundings) => {
    const script = path.join(surroundings.directory, 'actions.sh');
    const commands = commandsOf(surroundings);
    writeFileSync(script, scriptOf(commands));
    const env = environment({ connect: surroundings.libvirtd.uri, path: '' });
    const child = spawnOther('sh', [script], { pipes: true, env });
    await printed(child);
    return peerOf(child, async (times) => {
      const walls: number[] = [];
      for (let time = 0; time < times; time += 1) {
        const from = performance.now();
        child.stdin?.write('\n');
        const values = Number(await printed(child));
        walls.push(performance.now() - from);
        if (values === commands.length) continue;
        await end(child);
        throw new Error(`${values} of ${commands.length} actions have a value`);
      }
      return walls;
    });
  },
};
