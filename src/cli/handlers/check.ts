import { readFileSync } from 'node:fs';

import { formatDiagnostic } from '../../config/config.ts';
import type { MetricDefinition } from '../../model/metric.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { complain, shownAt } from '../../system/safe-output.ts';
import { escapeForLog } from '../../model/value.ts';
import { loadSetup } from '../../daemon/load-setup.ts';

const source = ({ source: from, every }: MetricDefinition): string => {
  const text =
    from.kind === 'stat' ? `${from.stat}${from.scale === undefined ? '' : ` x ${from.scale}`}` : from.command;
  const cut = escapeForLog(text.trim().replaceAll(/\s+/g, ' '), 60);
  return `${cut}${every > 1 ? ` (every ${every} ticks)` : ''}`;
};

interface CheckOptions {
  readonly config: string;
  readonly quiet: boolean;
  /** True to print the file with statistics in place of its actions. */
  readonly migrate: boolean;
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const migrated = async ({ config: file, quiet }: CheckOptions): Promise<number> => {
  const [{ migrate }, { thisMachine }] = await Promise.all([
    import('../migrate/migrate.ts'),
    import('../migrate/machine.ts'),
  ]);
  const result = migrate(readFileSync(file), file, thisMachine());
  if (!result.ok) {
    for (const mistake of result.error) complain(formatDiagnostic(mistake));
    return 2;
  }
  const { text, report } = result.value;
  process.stdout.write(shownAt(process.stdout, text, 'xml'));
  if (quiet) return 0;
  for (const line of report) complain(formatDiagnostic(line));
  const replaced = report.filter((line) => line.replaced).length;
  const stay = report.length - replaced;
  complain(`${file}: ${plural(replaced, 'action')} replaced, ${stay} ${stay === 1 ? 'stays' : 'stay'}`);
  return 0;
};

const findings = async (options: CheckOptions): Promise<number> => {
  const { config: file, quiet } = options;
  const loaded = await loadSetup(file, { scheduler: monotonicScheduler, write: () => undefined });
  for (const line of loaded.warnings) complain(`${line} (warning)`);
  if (!loaded.ok) {
    for (const line of loaded.error) complain(line);
    return 2;
  }
  if (options.migrate) return await migrated(options);
  if (quiet) return 0;
  const { metrics } = loaded.value.config;
  const rows = metrics.map(
    (metric) => [metric.context, metric.type, escapeForLog(metric.name), source(metric)] as const,
  );
  const width = (column: 0 | 1 | 2): number => Math.max(0, ...rows.map((row) => row[column].length));
  const widths = [width(0), width(1), width(2)] as const;
  const count = (context: string): number => metrics.filter((metric) => metric.context === context).length;
  for (const [context, type, name, from] of rows) {
    console.log(`${context.padEnd(widths[0])}  ${type.padEnd(widths[1])}  ${name.padEnd(widths[2])}  ${from}`);
  }
  console.log(
    `${shownAt(process.stdout, file, 'text')}: ${count('host')} host and ${count('vm')} VM metrics, no errors`,
  );
  return 0;
};

/**
 * `vhostmd check`: prints the mistakes in a configuration file, or its metrics; with `migrate` the file with statistics
 * in place of actions, and a report to stderr; with `quiet` neither metrics nor report. Exit status 2 for mistakes.
 * Exits at once, because a loaded sink module may keep a timer or a socket open.
 */
export const check = async (options: CheckOptions): Promise<never> => process.exit(await findings(options));
