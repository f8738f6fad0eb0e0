import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

import type { Figure, Unit } from './row.ts';

/** Result of a row; `load` is the machine's load average (1 min) when the row began. */
export interface Outcome {
  readonly row: string;
  readonly about: string;
  readonly load: number;
  readonly seconds: number;
  readonly telemetry: readonly Figure[];
  readonly notes: readonly string[];
  /** Reason why the row could not run. */
  readonly failure?: string;
}

const versionOf = (program: string, pattern: RegExp): string => {
  try {
    return pattern.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  } catch {
    return 'not installed';
  }
};

/** Returns the machine and the versions of the software. */
export const machine = (): Readonly<Record<string, string>> => ({
  cpu: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  kernel: release(),
  node: process.version,
  libvirt: versionOf('libvirtd', /(\d+\.\d+\.\d+)/),
  qemu: versionOf('qemu-system-x86_64', /version (\d+\.\d+\.\d+)/),
});

const DIGITS: Readonly<Record<Unit, number>> = { us: 0, ms: 1, MiB: 1, ratio: 2, calls: 1, snapshots: 1 };

/** Returns a value with its unit. */
export const number = (value: number, unit: Unit): string =>
  `${value.toFixed(DIGITS[unit])}${unit === 'ratio' ? '' : ` ${unit}`}`;

/** Returns the name of a figure, with its program. */
export const nameOf = ({ of: program, what }: Figure): string => (program === undefined ? what : `${program}: ${what}`);

/** Returns whether a figure meets its target, as text. */
export const met = ({ value, target }: Figure): string => {
  if (target === undefined) return '';
  return value <= target ? 'met' : 'MISSED';
};

/** Returns the target of a figure as text, empty without one. */
export const goal = ({ target, unit }: Figure): string => {
  if (target === undefined) return '';
  return `<= ${target}${unit === 'ratio' ? '' : ` ${unit}`}`;
};

const line = (row: string, figure: Figure): readonly string[] => [
  row,
  nameOf(figure),
  number(figure.value, figure.unit),
  goal(figure),
  met(figure),
  figure.count === undefined ? '' : String(figure.count),
  figure.formerly ?? '',
];

const HEAD = ['row', 'figure', 'measured', 'target', '', 'n', 'C daemon'];
const RIGHT = new Set([2, 3, 5, 6]);

const aligned = (lines: readonly (readonly string[])[]): string => {
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const cell = (text: string, column: number): string =>
    RIGHT.has(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return lines.map((cells) => cells.map(cell).join('  ').trimEnd()).join('\n');
};

/** Returns the table as text. */
export const table = (outcomes: readonly Outcome[]): string => {
  const about = machine();
  const failures = outcomes.filter(({ failure }) => failure !== undefined);
  return [
    Object.entries(about)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; '),
    '',
    aligned([HEAD, ...outcomes.flatMap(({ row, telemetry }) => telemetry.map((figure) => line(row, figure)))]),
    '',
    ...failures.map(({ row, failure }) => `${row}: could not run: ${failure}`),
    ...outcomes.map(
      ({ row, about: what, load, seconds }) =>
        `${row}: ${what}; load ${load.toFixed(2)} when it began, ${seconds.toFixed(0)} s`,
    ),
    ...outcomes.flatMap(({ notes }) => notes),
    '',
  ].join('\n');
};
