/** Cause why a VM is slow, as far as the host can see it. Its table is in `src/verdict`. */
export type CauseName = 'paused' | 'quota' | 'memory' | 'job' | 'io-limit' | 'neighbours' | 'storage' | 'network';

/** A quantity that was measured between two readings of a VM. */
export interface Measured {
  readonly name: string;
  readonly value: number;
  readonly unit: '%' | 'ms';
  /** Value from which on, or with `atMost` up to which, it supports the cause. */
  readonly threshold: number;
  readonly atMost?: boolean;
}

/** A cause that was found, with its evidence. */
export interface Finding {
  readonly cause: CauseName;
  /** All conditions of the table. The first is the share of time (or of packets) that the cause took. */
  readonly evidence: readonly Measured[];
}

/** What the host did to a VM between two readings. */
export interface Verdict {
  /** Seconds between the readings. */
  readonly seconds: number;
  /** The causes that were found; the first is the one to look at first. */
  readonly findings: readonly Finding[];
  /** Causes that could not be judged, because the host does not have the statistics. */
  readonly unseen: readonly CauseName[];
  /** Every quantity that could be measured, by its name; for the causes that were not found, too. */
  readonly measured: Readonly<Record<string, number>>;
}

/** Returns the value of `slow.cause`: the first cause, `none`, or `unknown` if not all could be judged. */
export const causeOf = ({ findings, unseen }: Verdict): CauseName | 'none' | 'unknown' =>
  findings[0]?.cause ?? (unseen.length === 0 ? 'none' : 'unknown');
