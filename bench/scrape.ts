import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';

import { configuration, end, startProgram } from './daemon.ts';
import type { ScrapeCost } from './programs/scraped.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { startsAndStops } from './domain-events.ts';
import { median, percentile } from './statistics.ts';

const DOMAINS = 1000;
const SCRAPES = 50;
// The first scrapes run code that is not compiled yet; the very first is reported separately.
const WARM_UP = 5;
// Number of domain starts for each of two daemons, which take turns of TURN starts.
const STARTS = 50;
const TURN = 10;

const page = async (socketPath: string): Promise<number> =>
  await new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/metrics', agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (data: Buffer) => (bytes += data.length));
      response.on('end', () => resolve(bytes));
    });
    asked.on('error', reject);
    asked.end();
  });

const said = async (program: ChildProcess): Promise<unknown> => {
  const [message]: readonly unknown[] = await once(program, 'message');
  return message;
};

const scrapes = async ({ directory, say }: Bench): Promise<readonly Figure[]> => {
  say(`${SCRAPES} scrapes of ${DOMAINS} synthetic VMs`);
  const socket = path.join(directory, 'metrics.sock');
  const { config } = configuration('conf/vhostmd.xml', directory, 'scrape');
  const program = startProgram('scraped', [socket, String(DOMAINS), config]);
  const costs: number[] = [];
  let bytes = 0;
  try {
    await said(program);
    for (let count = 0; count < SCRAPES + WARM_UP; count += 1) {
      program.send('next');
      await said(program);
      bytes = await page(socket);
      program.send('scraped');
      costs.push(((await said(program)) as ScrapeCost).cpu);
    }
  } finally {
    await end(program);
  }
  const warm = costs.slice(WARM_UP);
  return [
    { what: 'CPU per scrape, median', value: median(warm), unit: 'ms', target: 20, count: SCRAPES },
    { what: 'CPU per scrape, p99', value: percentile(warm, 0.99), unit: 'ms', count: SCRAPES },
    { what: 'CPU of the first scrape', value: costs[0] ?? NaN, unit: 'ms' },
    { what: 'size of the page', value: bytes / 2 ** 20, unit: 'MiB' },
  ];
};

const STUCK = `import { defineSink, deliverLatest } from 'vhostmd';
import { NEVER, of } from 'rxjs';
export default defineSink({ name: 'stuck', options: {},
  make: (_options, { scheduler }) => deliverLatest('stuck', of({ write$: () => NEVER }), { scheduler }) });
`;

const withSink = (file: string, module: string): void => {
  const last = '<transport>virtio</transport>';
  const text = readFileSync(file, 'utf8').replace(last, `${last}<sink module="${module}"/>`);
  if (!text.includes(module)) throw new Error('the configuration has no place for a sink');
  writeFileSync(file, text);
};

const blocked = async (bench: Bench): Promise<readonly Figure[]> => {
  const { directory, say } = bench;
  const module = path.join(directory, 'stuck.mjs');
  writeFileSync(module, STUCK);
  const without = { ...configuration('conf/vhostmd.xml', directory, 'without'), delays: [] as number[] };
  const beside = { ...configuration('conf/vhostmd.xml', directory, 'beside'), delays: [] as number[] };
  withSink(beside.config, module);
  say(`${STARTS} starts and stops with and without a sink that never writes, in turns`);
  for (let count = 0; count < STARTS; count += TURN)
    for (const one of [without, beside]) {
      const { starts, stops } = await startsAndStops(bench, one, 'scrape', TURN);
      one.delays.push(...starts, ...stops);
    }
  const figure = (what: string, value: number): Figure => ({
    what: `event to disk, ${what}`,
    value,
    unit: 'ms',
    count: 2 * STARTS,
  });
  const [alone, both] = [median(without.delays), median(beside.delays)];
  return [
    figure('median without the blocked sink', alone),
    figure('median beside it', both),
    { ...figure('difference of the medians', Math.abs(both - alone)), target: 1 },
  ];
};

const run = async (bench: Bench): Promise<Result> => ({
  telemetry: [...(await scrapes(bench)), ...(await blocked(bench))],
  notes: [
    `scrape: CPU of all threads of the process, the own telemetry of the daemon included; each scrape finds a new snapshot of which nothing is rendered yet.`,
  ],
});

export const scrape: Row = {
  name: 'scrape',
  about: `Prometheus reads ${DOMAINS} synthetic VMs with 4 metrics each; and a sink whose write never ends, beside the disk`,
  run,
};
