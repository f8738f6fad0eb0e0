import { readFileSync, writeFileSync } from 'node:fs';

import { configuration } from './daemon.ts';
import { BACKGROUND, pauses, startsAndStops } from './domain-events.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median, percentile } from './statistics.ts';

const TIMES = 100;
const PAUSES = 50;
const REASON = 'activity.paused.reason';

const telemetry = (what: string, delays: readonly number[], target: number, formerly = ''): readonly Figure[] => [
  { what: `${what}, median`, value: median(delays), unit: 'ms', target, formerly, count: delays.length },
  { what: `${what}, p99`, value: percentile(delays, 0.99), unit: 'ms', target: 10, count: delays.length },
];

const run = async (bench: Bench): Promise<Result> => {
  bench.say(`starting and stopping ${TIMES} QEMU domains`);
  const files = configuration('conf/vhostmd.xml', bench.directory, 'latency');
  const { starts, stops } = await startsAndStops(bench, files, 'latency', TIMES);
  bench.say(`pausing ${PAUSES} QEMU domains`);
  const more = configuration('conf/vhostmd.xml', bench.directory, 'pauses');
  const metric = `<metric type="string" context="vm"><name>${REASON}</name><stat>${REASON}</stat></metric>`;
  writeFileSync(more.config, readFileSync(more.config, 'utf8').replace('</metrics>', `${metric}</metrics>`));
  const paused = await pauses(bench, more, 'pauses', PAUSES);
  return {
    telemetry: [
      ...telemetry('start until it is on the disk', starts, 3, '4500 ms'),
      ...telemetry('stop until it is off the disk', stops, 3, '2700 ms'),
      ...telemetry('pause until its reason is on the disk', paused, 10),
    ],
  };
};

export const latency: Row = {
  name: 'latency',
  about: `start, stop and pause of a QEMU VM beside ${BACKGROUND} others, period 5 s, from libvirt's event to the disk`,
  run,
};
