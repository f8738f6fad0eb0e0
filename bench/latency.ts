import { configuration } from './daemon.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { BACKGROUND, startsAndStops } from './starts-and-stops.ts';
import { median, percentile } from './statistics.ts';

const TIMES = 100;

const telemetry = (what: string, delays: readonly number[], formerly: string): readonly Figure[] => [
  { what: `${what}, median`, value: median(delays), unit: 'ms', target: 3, formerly, count: delays.length },
  { what: `${what}, p99`, value: percentile(delays, 0.99), unit: 'ms', target: 10, count: delays.length },
];

const run = async (bench: Bench): Promise<Result> => {
  bench.say(`starting and stopping ${TIMES} QEMU domains`);
  const files = configuration('conf/vhostmd.xml', bench.directory, 'latency');
  const { starts, stops } = await startsAndStops(bench, files, 'latency', TIMES);
  return {
    telemetry: [
      ...telemetry('start until it is on the disk', starts, '4500 ms'),
      ...telemetry('stop until it is off the disk', stops, '2700 ms'),
    ],
  };
};

export const latency: Row = {
  name: 'latency',
  about: `start and stop of a QEMU VM beside ${BACKGROUND} others, period 5 s, from libvirt's event to the disk`,
  run,
};
