// `npm run soak`: runs two days of ticks, prints the measurements, and draws them. A day is 17,280 ticks at 5 s; the
// first day is the warm-up.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { plot } from './plot.ts';
import { telemetry, table } from './report.ts';
import { soak } from './soak.ts';
import { DAY, growth, verdict } from './verdict.ts';

const PERIOD = 60;
const PARTS = 24;
// A shorter run shows growth without a leak: the warm-up takes a day.
const LIMITS = { heap: 1, rss: 1 };

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    period: { type: 'string', default: String(PERIOD) },
    plot: { type: 'string' },
    json: { type: 'string' },
  },
});
const period = Number(values.period);
const ticks = Number(
  process.env['TICKS'] ?? (values.minutes === undefined ? 2 * DAY : (Number(values.minutes) * 60_000) / period),
);
if (!(ticks >= 100 && period >= 10)) {
  process.stderr.write(
    'soak: --minutes and --period (milliseconds, at least 10) are numbers, for at least 100 ticks\n',
  );
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const result = await soak({ ticks, period, parts: PARTS, say });
for (const subject of result.subjects)
  process.stdout.write(`\n${subject.name}, at quiet times, memory in MiB:\n\n${table(subject)}\n`);
const lines = telemetry(result);
process.stdout.write(`\n${lines.join('\n')}\n`);
if (values.plot !== undefined) writeFileSync(values.plot, plot(result.subjects, result.events, ticks, lines));
if (values.json !== undefined) {
  const subjects = result.subjects.map((subject) => ({ ...subject, growth: growth(subject) }));
  writeFileSync(values.json, `${JSON.stringify({ ...result, subjects }, undefined, 1)}\n`);
}
const wrong = verdict(result, ticks >= 2 * DAY ? LIMITS : { heap: Infinity });
for (const line of wrong) say(`WRONG: ${line}`);
say(wrong.length === 0 ? 'Nothing is left behind.' : `${wrong.length} things are wrong.`);
process.exit(wrong.length === 0 ? 0 : 1);
