import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';

import { reasonOf } from '../src/model/reason.ts';
import { busy } from './busy.ts';
import { contention } from './contention.ts';
import { channels } from './channels.ts';
import { killAll } from './daemon.ts';
import { growth } from './growth.ts';
import { latency } from './latency.ts';
import { limit } from './limit.ts';
import { machines } from './machines.ts';
import { memoryRow } from './memory.ts';
import { peers } from './peers.ts';
import { writePerformance } from './performance.ts';
import { privateDisksRow } from './private-disks.ts';
import type { Bench, Row } from './row.ts';
import { scale } from './scale.ts';
import { scrape } from './scrape.ts';
import { shells } from './shells.ts';
import { start } from './start.ts';
import { syscalls } from './syscalls.ts';
import { machine, type Outcome, table } from './table.ts';
import { ticks } from './ticks.ts';

// Rows without domains first, then by the number of domains that they need.
const ROWS: readonly Row[] = [
  busy,
  scale,
  growth,
  privateDisksRow,
  shells,
  latency,
  start,
  channels,
  limit,
  syscalls,
  contention,
  ticks,
  peers,
  memoryRow,
  scrape,
];

const USAGE = `Usage: npm run bench [-- [--json] [--write] [ROW...]]
${ROWS.map(({ name, about }) => `  ${name.padEnd(13)} ${about}`).join('\n')}`;

const say = (text: string): void => console.error(`bench: ${text}`);

const outcomeOf = async ({ name, about, run }: Row, bench: Bench): Promise<Outcome> => {
  const [load = NaN] = loadavg();
  const from = performance.now();
  const facts = (): Pick<Outcome, 'row' | 'about' | 'load' | 'seconds'> => ({
    row: name,
    about,
    load,
    seconds: (performance.now() - from) / 1000,
  });
  try {
    const { telemetry, notes = [] } = await run(bench);
    return { ...facts(), telemetry, notes };
  } catch (error) {
    return { ...facts(), telemetry: [], notes: [], failure: reasonOf(error) };
  }
};

const runRows = async (rows: readonly Row[]): Promise<readonly Outcome[]> => {
  // In memory, as the metrics disk is in use.
  const directory = mkdtempSync('/dev/shm/vhostmd-bench-');
  const bench: Bench = { machines: machines(say), directory, say };
  const clear = async (): Promise<void> => {
    killAll();
    await bench.machines.close();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void clear().then(() => process.exit(1)));
  const outcomes: Outcome[] = [];
  try {
    for (const row of rows) outcomes.push(await outcomeOf(row, bench));
  } finally {
    await clear();
  }
  return outcomes;
};

const asked = (): { readonly json: boolean; readonly write: boolean; readonly rows: readonly Row[] } => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    console.log(USAGE);
    process.exit(0);
  }
  const unknown = positionals.find((name) => ROWS.every((row) => row.name !== name));
  if (unknown !== undefined) throw new Error(`there is no row "${unknown}"`);
  const rows = positionals.length === 0 ? ROWS : ROWS.filter(({ name }) => positionals.includes(name));
  return { json: values.json ?? false, write: values.write ?? false, rows };
};

const main = async (): Promise<number> => {
  let what: ReturnType<typeof asked>;
  try {
    what = asked();
  } catch (error) {
    console.error(`bench: ${reasonOf(error)}\n${USAGE}`);
    return 2;
  }
  const outcomes = await runRows(what.rows);
  console.log(what.json ? JSON.stringify({ machine: machine(), rows: outcomes }, null, 2) : table(outcomes));
  const failed = outcomes.some(({ failure }) => failure !== undefined);
  if (what.write || (what.rows === ROWS && !failed)) {
    writePerformance(
      outcomes,
      ROWS.map(({ name }) => name),
    );
    say('docs/performance.md, .json and .svg are up to date');
  }
  return failed ? 1 : 0;
};

process.exitCode = await main();
