import { setTimeout as sleep } from 'node:timers/promises';

import { processBursts, untilQuiet } from '../bursts.ts';
import { configuration, startDaemon } from '../daemon.ts';
import { byItself, type PeerKind } from './peer.ts';
import { ACTIONS } from './shell.ts';

export const vhostmd: PeerKind = {
  name: 'vhostmd',
  times: 4,
  alone: true,
  start: async ({ libvirtd, directory, period }) => {
    const daemon = await startDaemon(configuration('conf/vhostmd.xml', directory, 'peers').config, libvirtd.uri);
    // The same delay as in the row "limit".
    await sleep(3.5 * period);
    return { ...daemon, collect: byItself(period) };
  },
};

export const vhostmdByActions: PeerKind = {
  name: 'vhostmd by <action>',
  times: 2,
  alone: false,
  start: async ({ libvirtd, directory, period }) => {
    const daemon = await startDaemon(configuration(ACTIONS, directory, 'peers-actions').config, libvirtd.uri);
    await untilQuiet(daemon.pid, 3 * period);
    return { ...daemon, collect: (times) => processBursts(daemon.pid, times * period) };
  },
};
