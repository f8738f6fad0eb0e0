import path from 'node:path';

import { resultOf } from './daemon.ts';
import type { BusyWindows } from './programs/updates.ts';
import type { Bench, Result, Row } from './row.ts';
import { percentile } from './statistics.ts';

const UPDATES = 10_000;

const run = async ({ directory, say }: Bench): Promise<Result> => {
  say(`updating a disk ${UPDATES} times`);
  const { windows } = await resultOf<BusyWindows>('updates', [path.join(directory, 'busy.disk'), String(UPDATES)]);
  const figure = (name: string, share: number) =>
    ({ what: `busy for 256 KiB, ${name}`, value: percentile(windows, share), unit: 'us', count: UPDATES }) as const;
  return { telemetry: [figure('p50', 0.5), { ...figure('p99', 0.99), target: 100 }] };
};

export const busy: Row = { name: 'busy', about: 'how long an update of 256 KiB makes readers of the disk wait', run };
