import { printable } from './format.ts';
import { periodOf, type Model } from './model.ts';
import type { State } from './table.ts';

/** Periods without new metrics after which the status line reports it. */
export const SILENT_PERIODS = 3;

const LONGEST = 400;

const seconds = (milliseconds: number): string => {
  const value = milliseconds / 1000;
  const whole = value >= 10 || Math.abs(value - Math.round(value)) < 0.1;
  return `${value.toFixed(whole ? 0 : 1)} s`;
};

/** Status line. `silence`: milliseconds without an update, set once over the limit. */
export const stateOf = (
  path: string,
  model: Model,
  { trouble, silence }: { readonly trouble?: string; readonly silence?: number },
): State => {
  const disk = printable(path, LONGEST, false);
  if (trouble !== undefined) {
    // Some reasons do not name the disk.
    const where = trouble.includes(path) ? '' : ` (${disk})`;
    return { text: `Waiting: ${printable(trouble, LONGEST, false)}${where}`, bad: true };
  }
  if (silence !== undefined)
    return { text: `No new metrics for ${Math.floor(silence / 1000)} s: does vhostmd run? (${disk})`, bad: true };
  if (model.stamp === undefined) return { text: `Waiting for the first metrics (${disk})`, bad: false };
  return { text: model.gaps.length === 0 ? disk : `${disk}, every ${seconds(periodOf(model))}`, bad: false };
};
