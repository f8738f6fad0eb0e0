import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { describe, expect, it } from 'vitest';

import { descriptorLots } from '../../../src/sources/contention/descriptor-lots.ts';
import { threadDelays } from '../../../src/sources/contention/thread-delays.ts';
import { openFiles } from '../../../src/testing/contract.ts';

const task = `/proc/${process.pid}/task`;
const threads = (): readonly string[] => readdirSync(task).toSorted();
const withOpenFile = (): readonly string[] =>
  openFiles()
    .flatMap((file) => /\/task\/(\d+)\/schedstat$/.exec(file)?.[1] ?? [])
    .toSorted();
const startThread = async (): Promise<Worker> => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await once(worker, 'online');
  return worker;
};
/** Ends a thread, and waits until the kernel does not list it any more. */
const endThread = async (worker: Worker, before: number): Promise<void> => {
  await worker.terminate();
  for (let tries = 0; threads().length > before && tries < 200; tries += 1) await sleep(5);
};

describe('The threads of a real process', () => {
  it('are those that it has now, also when one ends and another starts', async () => {
    const delays = threadDelays(String(process.pid), '/proc', descriptorLots());
    const alone = threads().length;
    const first = await startThread();
    delays.list();
    expect(withOpenFile()).toEqual(threads());
    await endThread(first, alone);
    const second = await startThread();
    delays.list();
    expect(withOpenFile()).toEqual(threads());
    // Without a change nothing is listed; with one more thread it is.
    delays.list();
    const third = await startThread();
    delays.list();
    expect(withOpenFile()).toEqual(threads());
    delays.close();
    expect(withOpenFile()).toEqual([]);
    await Promise.all([second.terminate(), third.terminate()]);
  });
});
