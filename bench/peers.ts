import { setTimeout as sleep } from 'node:timers/promises';

import { reasonOf } from '../src/model/reason.ts';
import { end, spawnOther } from './daemon.ts';
import { calls } from './peers/calls.ts';
import { collectd } from './peers/collectd.ts';
import { costOf } from './peers/cost.ts';
import { exporter } from './peers/exporter.ts';
import { type Costs, figuresOf, ratios } from './peers/figures.ts';
import type { PeerKind, Surroundings } from './peers/peer.ts';
import { sequentialShell } from './peers/shell.ts';
import { vhostmd, vhostmdByActions } from './peers/vhostmd.ts';
import { memoryOf, proportionalMemoryOf, threadsCpuOf } from './proc.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median } from './statistics.ts';

const DOMAINS = 40;
const PERIOD = 5000;
const TURNS = 3;
const KINDS: readonly PeerKind[] = [vhostmd, exporter, collectd, calls, vhostmdByActions, sequentialShell];

// Returns libvirtd's CPU time without any client, in ms per ms.
const idleOf = async (libvirtd: number): Promise<number> => {
  const before = threadsCpuOf(libvirtd).all;
  await sleep(PERIOD);
  return (threadsCpuOf(libvirtd).all - before) / PERIOD;
};

const measure = async (peer: Costs, surroundings: Surroundings, idle: number): Promise<void> => {
  try {
    const running = await peer.kind.start(surroundings);
    try {
      peer.costs.push(await costOf(running, peer.kind.times, surroundings.libvirtd.pid(), idle));
    } finally {
      await running.stop();
    }
  } catch (error) {
    if (peer.kind === vhostmd) throw error;
    peer.missing = reasonOf(error);
  }
};

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const libvirtd = await machines.atLeast(DOMAINS);
  const domains = (await libvirtd.virsh('list', '--name')).split('\n');
  const peers: readonly Costs[] = KINDS.map((kind) => ({ kind, costs: [] }));
  const idles: number[] = [];
  const node = spawnOther(process.execPath, ['-e', 'setInterval(() => undefined, 60_000)']);
  try {
    for (let turn = 1; turn <= TURNS; turn += 1) {
      const idle = await idleOf(libvirtd.pid());
      idles.push(idle * PERIOD);
      for (const peer of peers) {
        if (peer.missing !== undefined) continue;
        say(`turn ${turn} of ${TURNS}: ${peer.kind.name}`);
        await measure(peer, { libvirtd, domains, directory, period: PERIOD }, idle);
      }
    }
    const bare = memoryOf(node.pid ?? 0).all;
    const rss = median(peers[0]?.costs.map(({ rss }) => rss) ?? []);
    const memory = (what: string, value: number): Figure => ({ of: 'bare Node', what, value, unit: 'MiB' });
    return {
      telemetry: [
        ...peers.flatMap(figuresOf),
        memory('RSS', bare),
        memory('PSS', proportionalMemoryOf(node.pid ?? 0)),
        ...ratios(peers),
        { what: 'RSS, vhostmd beyond bare Node', value: rss - bare, unit: 'MiB', target: 26 },
      ],
      notes: [
        `peers: CPU is per collection, of all threads; medians of ${TURNS} turns, ratios of measures of the same turn; ` +
          `libvirtd's idle ${median(idles).toFixed(1)} ms per period are subtracted.`,
        ...peers.flatMap(({ kind, missing }) => (missing === undefined ? [] : [`peers: no ${kind.name}: ${missing}`])),
      ],
    };
  } finally {
    await end(node);
  }
};

export const peers: Row = {
  name: 'peers',
  about: `other programs with figures of the same ${DOMAINS} paused QEMU VMs, period 5 s, one after the other in turns`,
  run,
};
