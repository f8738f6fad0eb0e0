import path from 'node:path';

import { resultOf } from './daemon.ts';
import type { Growth } from './programs/growth.ts';
import type { Bench, Figure, Result, Row, Unit } from './row.ts';

const COUNTS = [100, 1000, 10_000] as const;
const EVENTS = 30;
// Among this number of VMs, for these seconds.
const STORM = { count: 1000, seconds: 30 };

/** Returns the exponent of a power of the count that fits the values best: 0 is constant, 1 linear. */
export const exponent = (counts: readonly number[], values: readonly number[]): number => {
  const x = counts.map(Math.log);
  const y = values.map(Math.log);
  const mean = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [mx, my] = [mean(x), mean(y)];
  const covariance = mean(x.map((one, index) => (one - mx) * ((y[index] ?? NaN) - my)));
  return covariance / mean(x.map((one) => (one - mx) ** 2));
};

const stormFigures = ({ share, snapshotsPerSecond }: NonNullable<Growth['storm']>): readonly Figure[] => [
  { what: 'storm of 1,000 events per second, share of a core', value: share, unit: 'ratio', target: 0.3 },
  { what: 'storm, snapshots per second', value: snapshotsPerSecond, unit: 'snapshots', target: 20 },
];

const run = async ({ directory, say }: Bench): Promise<Result> => {
  const all: Growth[] = [];
  for (const count of COUNTS) {
    say(`${EVENTS} starts and stops among ${count} synthetic VMs`);
    all.push(
      await resultOf<Growth>('growth', [
        path.join(directory, `growth-${count}`),
        String(count),
        String(EVENTS),
        String(count === STORM.count ? STORM.seconds : 0),
      ]),
    );
  }
  const figures = (what: string, unit: Unit, of: (growth: Growth) => number): readonly Figure[] => [
    ...COUNTS.map((count, index): Figure => {
      const growth = all[index];
      return { what: `${what}, ${count.toLocaleString('en')} VMs`, value: growth ? of(growth) : NaN, unit };
    }),
    { what: `${what}, exponent`, value: exponent(COUNTS, all.map(of)), unit: 'ratio' },
  ];
  return {
    telemetry: [
      ...figures('CPU per tick', 'ms', ({ tick }) => tick),
      ...figures('CPU per start', 'ms', ({ start }) => start),
      ...figures('CPU per stop', 'ms', ({ stop }) => stop),
      ...figures('CPU of the first snapshot', 'ms', ({ first }) => first),
      ...figures('resident memory', 'MiB', ({ memory }) => memory / 2 ** 20),
      ...all.flatMap(({ storm }) => (storm === undefined ? [] : stormFigures(storm))),
    ],
    notes: [
      'growth: an exponent of 0 means that the cost does not depend on the number of VMs, 1 that it is proportional to it.',
    ],
  };
};

export const growth: Row = {
  name: 'growth',
  about: 'CPU per tick and per event by the number of VMs, from synthetic status files and /proc to the disk',
  run,
};
