import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { repositoryFile, spawnOther } from '../daemon.ts';
import { byItself, needAll, orEnd, type PeerKind, peerOf, printed, unpacked } from './peer.ts';

const SOURCE = 'bench/programs/calls.c';

export const calls: PeerKind = {
  name: 'C, virDomainGetInfo for each VM',
  times: 4,
  alone: true,
  start: async (surroundings) => {
    const { libvirtd, directory, period } = surroundings;
    const program = path.join(directory, 'calls');
    if (!existsSync(program)) {
      const headers = unpacked('libvirt-dev', 'usr/include');
      // libvirt0 lacks the library's name for linkers.
      const args = ['-O2', '-I', headers, '-o', program, repositoryFile(SOURCE), '-l:libvirt.so.0'];
      execFileSync('gcc', args, { stdio: 'pipe' });
    }
    const child = spawnOther(program, [libvirtd.uri, String(period)], { pipes: true });
    return await orEnd(child, async () => {
      needAll(Number(await printed(child)), surroundings);
      await sleep(period / 2);
      return peerOf(child, byItself(period));
    });
  },
};
