import type { Choice } from './sample-values.ts';

type Entries = readonly (readonly [name: string, value: number | string])[];

const lines = (entries: Entries, form: (name: string, value: number | string) => string): string =>
  entries.map(([name, value]) => `${form(name, value)}\n`).join('');

// Besides the figures that statistics have, those with which a pattern may confuse them, none of them 0.
const meminfo = ({ memory, count }: Choice): Entries => [
  ['MemTotal', memory(30_000_000, 60_000_000)],
  ['MemFree', memory(2_000_000, 4_000_000)],
  ['MemAvailable', memory(10_000_000, 12_000_000)],
  ['Buffers', memory(300_000, 600_000)],
  ['Cached', memory(5_000_000, 9_000_000)],
  ['SwapCached', memory(10_000, 20_000)],
  ['Active', memory(1_000_000, 2_000_000)],
  ['Inactive', memory(700_000, 900_000)],
  ['Active(anon)', memory(100_000, 200_000)],
  ['SwapTotal', memory(8_000_000, 9_000_000)],
  ['SwapFree', memory(3_000_000, 7_000_000)],
  ['Zswap', memory(20_000, 30_000)],
  ['Shmem', memory(100_000, 200_000)],
  ['SReclaimable', memory(400_000, 700_000)],
  ['VmallocTotal', memory(1_000_000, 9_000_000)],
  ['VmallocUsed', memory(100_000, 900_000)],
  ['CmaTotal', memory(100_000, 200_000)],
  ['CmaFree', memory(10_000, 90_000)],
  ['HugePages_Total', count(1000, 2000)],
  ['HugePages_Free', count(100, 900)],
];

const vmstat = ({ count, memory, pages }: Choice): Entries => [
  ['nr_free_pages', pages(500_000, 900_000)],
  ['pgpgin', memory(40_000_000, 90_000_000)],
  ['pgpgout', memory(100_000_000, 190_000_000)],
  ['pswpin', pages(200_000, 300_000)],
  ['pswpout', pages(400_000, 500_000)],
  ['pgfree', count(1e9, 2e9)],
  ['pgfault', count(1e9, 2e9)],
  ['pgmajfault', count(1e5, 2e5)],
  ['thp_swpout', count(100, 900)],
  ['zswpin', count(1000, 2000)],
  ['zswpout', count(1000, 2000)],
];

const stat = ({ count, ticks, small }: Choice, cpus: number): string => {
  // User, nice, system, idle, iowait, irq, softirq, steal; then guests, which are part of the first two.
  const times = [3, 4, 5, 6, 7, 8, 9, 10, 1, 2].map((each) => ticks(each * 1_000_000, each * 1_000_000 + 900_000));
  const each = Array.from({ length: cpus }, (_, cpu) => `cpu${cpu} ${count(1000, 9000)} 1 2 3 4 5 6 7 0 0\n`);
  return (
    `cpu  ${times.join(' ')}\n${each.join('')}intr ${count(1e7, 2e7)}\nctxt ${count(3e7, 4e7)}\n` +
    `btime ${small(1.6e9, 1.7e9)}\nprocesses ${count(1e5, 9e5)}\n`
  );
};

const decimal = ({ small }: Choice, most: number): string => `${small(0, most)}.${small(10, 100)}`;

/** Files of a sample host by their paths. */
export const sampleFiles = (
  choice: Choice,
  {
    cpus,
    hostname,
    osRelease,
    exact,
  }: {
    readonly cpus: number;
    readonly hostname: string;
    readonly osRelease: ReadonlyMap<string, string>;
    readonly exact: boolean;
  },
): ReadonlyMap<string, string> => {
  const { count, small } = choice;
  const load = [64, 64, 64].map((most) => decimal(choice, most)).join(' ');
  const uptime = `${count(1_000_000, 2_000_000)}.${exact ? '00' : small(10, 100)} ${count(3_000_000, 4_000_000)}.00`;
  return new Map([
    ['/dev/null', ''],
    ['/etc/os-release', lines([...osRelease], (name, value) => `${name}="${value}"`)],
    ['/proc/sys/kernel/hostname', `${hostname}\n`],
    ['/proc/loadavg', `${load} ${count(1, 90)}/${count(200, 900)} ${count(1000, 30_000)}\n`],
    ['/proc/uptime', `${uptime}\n`],
    ['/proc/stat', stat(choice, cpus)],
    [
      '/proc/cpuinfo',
      Array.from(
        { length: cpus },
        (_, cpu) => `processor\t: ${cpu}\nmodel name\t: Sample 16-Core Processor\ncpu cores\t: 16\n\n`,
      ).join(''),
    ],
    [
      '/proc/meminfo',
      lines(meminfo(choice), (name, value) => `${`${name}:`.padEnd(15)} ${String(value).padStart(9)} kB`),
    ],
    ['/proc/vmstat', lines(vmstat(choice), (name, value) => `${name} ${value}`)],
  ]);
};
