import type { SchedulerLike } from 'rxjs';

import { type DescriptorLots, descriptorLots } from './descriptor-lots.ts';
import { type Nodes, nodesIn } from './numa.ts';

// Milliseconds between two looks at the host's nodes, which a hotplug of memory or CPUs changes.
const NODES_PERIOD = 60_000;

/** What the files of all VMs of a host share. */
export interface VmHost {
  readonly proc: string;
  readonly scheduler: SchedulerLike;
  readonly descriptors: DescriptorLots;
  /** @throws Error if the nodes cannot be read. */
  readonly nodes: () => Nodes;
}

export const vmHost = (scheduler: SchedulerLike, proc: string): VmHost => {
  let known: { readonly nodes: Nodes; readonly until: number } | undefined;
  return {
    proc,
    scheduler,
    descriptors: descriptorLots(),
    nodes: () => {
      const now = scheduler.now();
      if (known === undefined || now >= known.until)
        known = { nodes: nodesIn(`${proc}/../sys/devices/system/node`), until: now + NODES_PERIOD };
      return known.nodes;
    },
  };
};
