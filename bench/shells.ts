import { resultOf } from './daemon.ts';
import type { ShellCost } from './programs/shells.ts';
import type { Bench, Figure, Result, Row } from './row.ts';
import { median } from './statistics.ts';

const TURNS = 3;
const SHELLS = 500;
const WAYS = ['execa', 'spawn', 'posix_spawn'] as const;

const run = async ({ say }: Bench): Promise<Result> => {
  const costs = Object.fromEntries(WAYS.map((way) => [way, [] as ShellCost[]]));
  for (let turn = 1; turn <= TURNS; turn += 1)
    for (const way of WAYS) {
      say(`turn ${turn} of ${TURNS}: ${SHELLS} shells by ${way}`);
      costs[way]?.push(await resultOf<ShellCost>('shells', [way, String(SHELLS)]));
    }
  const figures = (way: string): readonly Figure[] => {
    const figure = (what: string, part: (cost: ShellCost) => number): Figure => ({
      what: `CPU per shell by ${way}, ${what}`,
      value: median((costs[way] ?? []).map(part)),
      unit: 'ms',
      count: TURNS * SHELLS,
    });
    return [figure('the starting process', ({ own }) => own), figure('the shell', ({ shells }) => shells)];
  };
  return { telemetry: WAYS.flatMap(figures) };
};

export const shells: Row = {
  name: 'shells',
  about: '`echo 1` in a shell of its own, 8 at a time, by three ways to start a process',
  run,
};
