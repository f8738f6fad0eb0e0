import type { Machines } from './machines.ts';

export type Unit = 'us' | 'ms' | 'MiB' | 'ratio';

/** One line of the table. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  /** At most this much, in the same unit; without it the figure is only told. */
  readonly target?: number;
  /** The same figure of the C daemon, where it is known. */
  readonly formerly?: string;
  /** How many measurements the figure stands for. */
  readonly count?: number;
}

export interface Result {
  readonly telemetry: readonly Figure[];
  /** What one must know to judge the figures. */
  readonly notes?: readonly string[];
}

/** What a row works with. */
export interface Bench {
  readonly machines: Machines;
  /** A folder in memory for disks and configurations; removed at the end. */
  readonly directory: string;
  /** Says on stderr what is going on. */
  readonly say: (text: string) => void;
}

/** A row of the bench; it rejects with the reason if it cannot run. */
export interface Row {
  readonly name: string;
  readonly about: string;
  readonly run: (bench: Bench) => Promise<Result>;
}
