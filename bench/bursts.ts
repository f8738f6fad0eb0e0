import { setTimeout as sleep } from 'node:timers/promises';

import { cpuOf } from './proc.ts';

// Milliseconds without a process between two collections; shorter gaps belong to one collection.
const GAP = 400;

/** Returns how long a process's children run after each tick, in ms: their CPU time rises whenever one ends. */
export const processBursts = async (pid: number, duration: number): Promise<readonly number[]> => {
  const bursts: { readonly from: number; to: number }[] = [];
  let last = cpuOf(pid).children;
  for (const until = performance.now() + duration; performance.now() < until; await sleep(10)) {
    const { children } = cpuOf(pid);
    if (children === last) continue;
    last = children;
    const now = performance.now();
    const burst = bursts.at(-1);
    if (burst === undefined || now - burst.to > GAP) bursts.push({ from: now, to: now });
    else burst.to = now;
  }
  return bursts.map(({ from, to }) => to - from);
};

/** Waits until a collection by processes has ended, at most `patience` ms. */
export const untilQuiet = async (pid: number, patience: number): Promise<void> => {
  let last = cpuOf(pid).children;
  let quiet = performance.now();
  for (const until = quiet + patience; performance.now() < until; await sleep(10)) {
    const { children } = cpuOf(pid);
    if (children !== last) quiet = performance.now();
    else if (performance.now() - quiet > 2 * GAP) return;
    last = children;
  }
};
