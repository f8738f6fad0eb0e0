import { printable } from './format.ts';
import { periodOf, type Model } from './rates.ts';
import type { State } from './table.ts';

/** Periods without new metrics after which that is said. */
export const SILENT_PERIODS = 3;

const seconds = (milliseconds: number): string => {
  const value = milliseconds / 1000;
  return `${value < 10 && Math.abs(value - Math.round(value)) >= 0.05 ? value.toFixed(1) : value.toFixed(0)} s`;
};

/** What is said of the disk. `silence` is for how many milliseconds it has not changed, if that is for too long. */
export const stateOf = (
  path: string,
  model: Model,
  { trouble, silence, usual }: { readonly trouble?: string; readonly silence?: number; readonly usual?: number },
): State => {
  const disk = printable(path, 400, false);
  // Not every reason names the disk.
  if (trouble !== undefined)
    return {
      text: `${trouble.includes(path) ? '' : `${disk}: `}${printable(trouble, 400, false)}; waiting`,
      bad: true,
    };
  if (model.stamp === undefined) return { text: `Waiting for the first metrics on ${disk}`, bad: false };
  if (silence !== undefined)
    return {
      text: `No new metrics for ${seconds(Math.floor(silence / 1000) * 1000)} on ${disk}: does vhostmd run?`,
      bad: true,
    };
  const every = model.gaps.length === 0 ? '' : `, new metrics every ${seconds(periodOf(model, usual))}`;
  return { text: disk + every, bad: false };
};
