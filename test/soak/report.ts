import { cpus, totalmem } from 'node:os';

import type { Domains } from './domains.ts';
import type { Soaked } from './soak.ts';
import type { Quiet, Subject } from './subject.ts';
import { growth, warm } from './verdict.ts';

const ROWS = 12;

const count = (value: number): string => value.toLocaleString('en');
const cells = (row: readonly string[]): string => `| ${row.join(' | ')} |`;

const row = ({ ticks, rss, anonymous, heap, external, descriptors, threads, children }: Quiet): readonly string[] => [
  count(ticks),
  ...[rss, anonymous, heap, external].map((value) => value.toFixed(1)),
  ...[descriptors, threads, children].map(String),
];

/** Returns the measurements at quiet times as a Markdown table; memory in MiB. */
export const table = ({ quiets }: Pick<Subject, 'quiets'>): string => {
  const every = Math.max(1, Math.ceil(quiets.length / ROWS));
  const shown = quiets.filter((_, index) => (quiets.length - 1 - index) % every === 0);
  const head = ['ticks', 'RSS', 'anonymous', 'heap', 'external', 'descriptors', 'threads', 'children'];
  return [head, head.map(() => '---:'), ...shown.map(row)].map(cells).join('\n');
};

const changes = (domains: readonly Domains[]): number => domains.reduce((sum, one) => sum + one.changes(), 0);

/** Returns the figures of a run as text, without a date. */
export const telemetry = ({ subjects, events, domains }: Soaked): readonly string[] => [
  ...subjects.flatMap((subject) => {
    const { name, daemon, quiets, checker } = subject;
    const { rss, rssError, heap } = growth(subject);
    const last = quiets.at(-1);
    const descriptors = [...new Set(warm(quiets).map((quiet) => quiet.descriptors))].sort((a, b) => a - b);
    return [
      `${name}: ${count(last?.ticks ?? 0)} ticks, ${count(daemon.reloads())} reloads; in the second half RSS ` +
        `${rss >= 0 ? '+' : ''}${rss.toFixed(1)} ± ${rssError.toFixed(1)} and heap ${heap >= 0 ? '+' : ''}${heap.toFixed(1)} MiB a day,`,
      `descriptors at quiet times ${descriptors.join(' or ')}, ${count(checker.reads())} reads of disks, ${checker.faults().length} of them wrong`,
    ];
  }),
  `${count(changes(domains))} starts and stops of domains, ${events.length} losses of libvirtd; a machine with ` +
    `${cpus().length} CPUs and ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`,
];
