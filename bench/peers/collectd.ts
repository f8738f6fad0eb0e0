import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { end, spawnOther } from '../daemon.ts';
import { byItself, needAll, type PeerKind, peerOf, unpacked } from './peer.ts';

const configurationOf = (folder: string, uri: string, period: number): string => `Hostname "bench"
FQDNLookup false
BaseDir "${folder}"
PIDFile "${folder}/pid"
PluginDir "${unpacked('collectd-core', 'usr/lib/collectd')}"
TypesDB "${unpacked('collectd-core', 'usr/share/collectd/types.db')}"
Interval ${period / 1000}
LoadPlugin virt
LoadPlugin csv
<Plugin virt>
  Connection "${uri}"
  HostnameFormat name
</Plugin>
<Plugin csv>
  DataDir "${folder}/values"
</Plugin>
`;

export const collectd: PeerKind = {
  name: 'collectd with its virt plugin',
  times: 4,
  alone: true,
  start: async (surroundings) => {
    const { libvirtd, domains, directory, period } = surroundings;
    const program = unpacked('collectd-core', 'usr/sbin/collectd');
    const folder = path.join(directory, 'collectd');
    const values = path.join(folder, 'values');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(values, { recursive: true });
    const file = path.join(folder, 'collectd.conf');
    writeFileSync(file, configurationOf(folder, libvirtd.uri, period));
    const all = async (command: string): Promise<unknown> =>
      await libvirtd.virsh(domains.map((name) => `${command} ${name}`).join('; '));
    // The plugin skips paused domains.
    await all('resume');
    const child = spawnOther(program, ['-f', '-C', file]);
    const stop = async (): Promise<void> => {
      await end(child);
      await all('suspend');
    };
    try {
      await sleep(1.5 * period);
      needAll(readdirSync(values).filter((name) => domains.includes(name)).length, surroundings);
    } catch (error) {
      await stop();
      throw error;
    }
    return { ...peerOf(child, byItself(period)), stop };
  },
};
