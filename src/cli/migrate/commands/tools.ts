import { awk } from '../awk/awk.ts';
import { CLOCK_TICKS, type SampleHost } from '../sample-host.ts';
import { cut, grep, head, sort, tail, translate, wordCount } from './filters.ts';
import { refuse } from '../not-understood.ts';
import { free, vmstat } from './procps.ts';
import { sed } from './sed.ts';
import type { Surroundings, Tool } from './tool.ts';
import { virsh } from './virsh.ts';

const printing =
  (print: (args: readonly string[], input: string, around: Surroundings) => string): Tool =>
  (...call) => ({ output: print(...call), status: 0 });

const hostname = (args: readonly string[], { hostname: name }: SampleHost): string => {
  const option = args.join(' ');
  if (option === '') return `${name}\n`;
  return option === '-s' || option === '--short' ? `${name.split('.')[0]}\n` : refuse(`runs hostname ${option}`);
};

const getconf = ({ 0: name = '' }: readonly string[], { pageSize }: SampleHost): string => {
  if (name === 'CLK_TCK') return `${CLOCK_TICKS}\n`;
  return /^PAGE_?SIZE$/.test(name) ? `${pageSize}\n` : refuse(`asks getconf for ${name}`);
};

// The memory of Xen's `info` is that of all domains, which is no statistic.
const xenInfo = (args: readonly string[], { facts, pageSize }: SampleHost): string => {
  const { 'host.cpus': cpus } = facts;
  if (args.join(' ') !== 'info' || cpus?.ok !== true) return refuse(`asks Xen's tools for ${args.join(' ')}`);
  return `nr_cpus                : ${cpus.value}\ntotal_memory           : ${pageSize * 7 + 3}\n`;
};

const awkTool = printing(awk);
const catTool = printing((args, input, { host }) => (args.length === 0 ? input : args.map(host.file).join('')));
const xen = printing((args, _, { host }) => xenInfo(args, host));

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ['awk', awkTool],
  ['gawk', awkTool],
  ['mawk', awkTool],
  ['cat', catTool],
  ['cut', printing(cut)],
  [
    'date',
    printing((args, _, { host }) =>
      args.join(' ') === '+%s' ? `${host.time}\n` : refuse(`runs date ${args.join(' ')}`),
    ),
  ],
  ['egrep', (args, ...more) => grep(['-E', ...args], ...more)],
  ['fgrep', (args, ...more) => grep(['-F', ...args], ...more)],
  ['free', printing((args, _, { host }) => free(args, host))],
  ['getconf', printing((args, _, { host }) => getconf(args, host))],
  ['grep', grep],
  ['head', printing(head)],
  ['hostname', printing((args, _, { host }) => hostname(args, host))],
  ['sed', printing(sed)],
  ['sort', printing(sort)],
  ['tail', printing(tail)],
  ['tr', printing(translate)],
  [
    'uname',
    printing((args, _, { host }) =>
      args.join(' ') === '-n' ? `${host.hostname}\n` : refuse(`runs uname ${args.join(' ')}`),
    ),
  ],
  ['virsh', printing((args, _, { host }) => virsh(args, host))],
  ['vmstat', printing((args, _, { host }) => vmstat(args, host))],
  ['wc', printing(wordCount)],
  ['xl', xen],
  ['xm', xen],
]);

export const toolNamed = (name: string): Tool => TOOLS.get(name) ?? (() => refuse(`runs ${name}`));
