import type { SampleHost } from '../sample-host.ts';
import { refuse } from '../not-understood.ts';

const DIVISORS: Readonly<Record<string, number>> = {
  '-b': 1 / 1024,
  '--bytes': 1 / 1024,
  '-k': 1,
  '--kibi': 1,
  '-m': 1024,
  '--mebi': 1024,
  '-g': 1_048_576,
  '--gibi': 1_048_576,
};

const entries = (host: SampleHost, path: string): ((name: string) => number) => {
  const text = host.file(path);
  return (name) => Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text)?.[1]);
};

const used = ({ procps }: SampleHost, memory: (name: string) => number): number =>
  procps === 4
    ? memory('MemTotal') - memory('MemAvailable')
    : memory('MemTotal') - memory('MemFree') - memory('Cached') - memory('SReclaimable') - memory('Buffers');

/** free(1), with at most an option for the unit. */
export const free = (args: readonly string[], host: SampleHost): string => {
  const divisor = DIVISORS[args[0] ?? '-k'];
  if (divisor === undefined || args.length > 1) return refuse(`runs free ${args.join(' ')}`);
  const memory = entries(host, '/proc/meminfo');
  const row = (label: string, values: readonly number[]): string =>
    `${label.padEnd(8)} ${values.map((value) => String(Math.trunc(value / divisor)).padStart(11)).join(' ')}\n`;
  const cache = memory('Buffers') + memory('Cached') + memory('SReclaimable');
  const swap = [memory('SwapTotal'), memory('SwapTotal') - memory('SwapFree'), memory('SwapFree')];
  return (
    '               total        used        free      shared  buff/cache   available\n' +
    row('Mem:', [
      memory('MemTotal'),
      used(host, memory),
      memory('MemFree'),
      memory('Shmem'),
      cache,
      memory('MemAvailable'),
    ]) +
    row('Swap:', swap)
  );
};

const CPU = ['non-nice user', 'nice user', 'system', 'idle', 'IO-wait', 'IRQ', 'softirq', 'stolen'];
const GUESTS = ['non-nice guest', 'nice guest'];

/** `vmstat -s`. procps 4 names the unit of what was paged, which procps 3 calls pages. */
export const vmstat = (args: readonly string[], host: SampleHost): string => {
  if (args.join(' ') !== '-s' && args.join(' ') !== '--stats') return refuse(`runs vmstat ${args.join(' ')}`);
  const memory = entries(host, '/proc/meminfo');
  const paging = entries(host, '/proc/vmstat');
  const stat = host.file('/proc/stat');
  const ticks = (/^cpu +(.*)/.exec(stat)?.[1] ?? '').split(' ').map(Number);
  const unit = host.procps === 4 ? 'K' : 'pages';
  const rows: readonly (readonly [number, string])[] = [
    [memory('MemTotal'), 'K total memory'],
    [used(host, memory), 'K used memory'],
    [memory('Active'), 'K active memory'],
    [memory('Inactive'), 'K inactive memory'],
    [memory('MemFree'), 'K free memory'],
    [memory('Buffers'), 'K buffer memory'],
    [memory('Cached') + memory('SReclaimable'), 'K swap cache'],
    [memory('SwapTotal'), 'K total swap'],
    [memory('SwapTotal') - memory('SwapFree'), 'K used swap'],
    [memory('SwapFree'), 'K free swap'],
    ...(host.procps === 4 ? [...CPU, ...GUESTS] : CPU).map(
      (name, index) => [ticks[index] ?? 0, `${name} cpu ticks`] as const,
    ),
    [paging('pgpgin'), `${unit} paged in`],
    [paging('pgpgout'), `${unit} paged out`],
    [paging('pswpin'), 'pages swapped in'],
    [paging('pswpout'), 'pages swapped out'],
    [Number(/^intr (\d+)/m.exec(stat)?.[1]), 'interrupts'],
    [Number(/^ctxt (\d+)/m.exec(stat)?.[1]), 'CPU context switches'],
    [Number(/^btime (\d+)/m.exec(stat)?.[1]), 'boot time'],
    [Number(/^processes (\d+)/m.exec(stat)?.[1]), 'forks'],
  ];
  return rows.map(([value, name]) => `${String(value).padStart(13)} ${name}\n`).join('');
};
