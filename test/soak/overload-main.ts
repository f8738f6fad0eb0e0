// `npm run overload`: runs the daemon on a host with far more work than processors; prints figures and a verdict.
import { parseArgs } from 'node:util';

import { overload, overloadVerdict } from './overload.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    loops: { type: 'string', default: '6' },
    staying: { type: 'string', default: '30' },
    changing: { type: 'string', default: '10' },
  },
});
const [minutes, loops, staying, changing] = [values.minutes, values.loops, values.staying, values.changing].map(Number);
if (!(minutes !== undefined && minutes > 0 && Number(loops) >= 0 && Number(staying) > 0 && Number(changing) > 0)) {
  process.stderr.write('overload: --minutes, --loops, --staying and --changing are numbers\n');
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const result = await overload({
  minutes,
  loops: Number(loops),
  staying: Number(staying),
  changing: Number(changing),
  say,
});
process.stdout.write(
  `${result.seconds.toFixed(0)} s at load ${result.load.least} to ${result.load.most}: ${result.ticks} ticks, ${result.skipped} skipped, ` +
    `${result.documents} documents, ${result.changes} starts and stops, ${result.flaps.length} values of living domains vanished ` +
    `(${result.cut} of actions at their deadline), ${result.log.lines} lines of the log, CPU ${result.cpu.mean.toFixed(1)} ms/s, at most ${result.cpu.most.toFixed(1)} (${result.cpu.busiest})\n`,
);
const wrong = overloadVerdict(result);
for (const line of wrong) say(`WRONG: ${line}`);
say(wrong.length === 0 ? 'All is as it should be.' : `${wrong.length} things are wrong.`);
process.exit(wrong.length === 0 ? 0 : 1);
