import type { Machines } from './machines.ts';

export type Unit = 'us' | 'ms' | 'MiB' | 'ratio' | 'calls' | 'snapshots';

/** One line of the table. */
export interface Figure {
  readonly what: string;
  /** The measured program, in a row with several. */
  readonly of?: string;
  readonly value: number;
  readonly unit: Unit;
  /** Upper limit, in the same unit; without it the figure is only printed. */
  readonly target?: number;
  /** The C daemon's value, where it is known. */
  readonly formerly?: string;
  /** Number of measurements. */
  readonly count?: number;
}

export interface Result {
  readonly telemetry: readonly Figure[];
  /** Notes that explain the figures. */
  readonly notes?: readonly string[];
}

/** Resources of a row. */
export interface Bench {
  readonly machines: Machines;
  /** A folder in memory for disks and configurations; removed at the end. */
  readonly directory: string;
  /** Prints progress to stderr. */
  readonly say: (text: string) => void;
}

/** A row of the bench; it rejects with the reason if it cannot run. */
export interface Row {
  readonly name: string;
  readonly about: string;
  readonly run: (bench: Bench) => Promise<Result>;
}
