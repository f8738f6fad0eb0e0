import type { Figure, Unit } from '../row.ts';
import { median } from '../statistics.ts';
import { calls } from './calls.ts';
import { collectd } from './collectd.ts';
import type { PeerCost } from './cost.ts';
import { exporter } from './exporter.ts';
import type { PeerKind } from './peer.ts';
import { sequentialShell } from './shell.ts';
import { vhostmd, vhostmdByActions } from './vhostmd.ts';

/** All measurements of a peer. */
export interface Costs {
  readonly kind: PeerKind;
  /** One for each turn. */
  readonly costs: PeerCost[];
  /** Reason why it could not run. */
  missing?: string;
}

const COLUMNS: readonly {
  readonly what: string;
  readonly unit: Unit;
  readonly part: (cost: PeerCost) => number | undefined;
  /** If present, the column is only of peers whose `alone` has this value. */
  readonly alone?: boolean;
}[] = [
  { what: 'CPU of its own', unit: 'ms', part: ({ own }) => own },
  { what: 'CPU of its processes', unit: 'ms', part: ({ children }) => children, alone: false },
  { what: 'CPU of libvirtd', unit: 'ms', part: ({ libvirtd }) => libvirtd },
  { what: 'wall time', unit: 'ms', part: ({ wall }) => wall },
  { what: 'RSS', unit: 'MiB', part: ({ rss }) => rss, alone: true },
  { what: 'PSS', unit: 'MiB', part: ({ pss }) => pss, alone: true },
];

/** Returns the medians of a peer's turns. */
export const figuresOf = ({ kind: { name, times, alone }, costs }: Costs): readonly Figure[] =>
  COLUMNS.filter((column) => column.alone === undefined || column.alone === alone).flatMap(({ what, unit, part }) => {
    const values = costs.flatMap((cost) => part(cost) ?? []);
    return values.length === 0 ? [] : [{ of: name, what, value: median(values), unit, count: values.length * times }];
  });

const WITH_LIBVIRTD = ({ own, children, libvirtd }: PeerCost): number => own + children + libvirtd;
const RATIOS: readonly {
  readonly what: string;
  readonly of: PeerKind;
  readonly to: PeerKind;
  readonly part: (cost: PeerCost) => number;
  readonly target?: number;
}[] = [
  { what: 'CPU with libvirtd', of: vhostmd, to: exporter, part: WITH_LIBVIRTD, target: 0.15 },
  { what: 'CPU with libvirtd', of: vhostmd, to: collectd, part: WITH_LIBVIRTD },
  { what: 'CPU with libvirtd', of: vhostmd, to: calls, part: WITH_LIBVIRTD },
  { what: 'CPU of libvirtd', of: vhostmd, to: calls, part: ({ libvirtd }) => libvirtd, target: 0.1 },
  { what: 'CPU', of: vhostmdByActions, to: sequentialShell, part: ({ own, children }) => own + children, target: 1 },
  { what: 'wall time', of: vhostmdByActions, to: sequentialShell, part: ({ wall = NaN }) => wall, target: 0.55 },
];

/** Returns the medians of the ratios; each ratio is of two measurements in the same turn. */
export const ratios = (peers: readonly Costs[]): readonly Figure[] =>
  RATIOS.flatMap(({ what, of, to, part, target }) => {
    const costsOf = (kind: PeerKind): readonly PeerCost[] => peers.find((peer) => peer.kind === kind)?.costs ?? [];
    const others = costsOf(to);
    const pairs = costsOf(of).flatMap((cost, turn) => {
      const other = others[turn];
      return other === undefined ? [] : [part(cost) / part(other)];
    });
    if (pairs.length === 0) return [];
    return [
      {
        what: `${what}, ${of.name} : ${to.name}`,
        value: median(pairs),
        unit: 'ratio',
        count: pairs.length,
        ...(target !== undefined && { target }),
      },
    ];
  });
