import { cpuOf, memoryOf, proportionalMemoryOf, threadsCpuOf } from '../proc.ts';
import { median } from '../statistics.ts';
import type { Peer } from './peer.ts';

/** Result of one measurement of a peer: CPU per collection and wall time in ms, memory in MiB. */
export interface PeerCost {
  readonly own: number;
  /** CPU of its ended child processes. */
  readonly children: number;
  readonly libvirtd: number;
  readonly wall?: number;
  readonly rss: number;
  readonly pss: number;
}

/** Measures a peer; `idle` is libvirtd's CPU time without any client, in ms per ms. */
export const costOf = async (peer: Peer, times: number, libvirtd: number, idle: number): Promise<PeerCost> => {
  const now = (): {
    readonly at: number;
    readonly own: number;
    readonly children: number;
    readonly libvirtd: number;
  } => ({
    at: performance.now(),
    own: threadsCpuOf(peer.pid).all,
    children: cpuOf(peer.pid).children,
    libvirtd: threadsCpuOf(libvirtd).all,
  });
  const before = now();
  const walls = await peer.collect(times);
  const after = now();
  const served = after.libvirtd - before.libvirtd - idle * (after.at - before.at);
  return {
    own: (after.own - before.own) / times,
    children: (after.children - before.children) / times,
    libvirtd: Math.max(0, served) / times,
    ...(walls.length > 0 && { wall: median(walls) }),
    rss: memoryOf(peer.pid).all,
    pss: proportionalMemoryOf(peer.pid),
  };
};
