// Draws marbles/**/*.txt as docs/marbles/**/*.svg, and writes docs/timing.md, which shows each with its sentence.
// With --check it writes nothing, and fails if the drawings are out of date.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Built by the npm script: tests and drawings use the same parser.
import { parseMarbleFile } from '../.cache/modules/testing/marbles/parse.js';

import { drawMarbles } from './marble-drawing.mjs';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

// Chapters of the page; each marble file belongs to one chapter, in this order.
const CHAPTERS = [
  {
    title: 'The start',
    line: 'The first snapshot is taken at once. It waits for everything that can answer, but not forever.',
    names: [
      'snapshot/first-at-start',
      'snapshot/first-is-complete',
      'snapshot/first-waits-for-late',
      'snapshot/first-overdue',
      'snapshot/first-without-list',
      'snapshot/first-without-libvirt',
      'snapshot/first-when-libvirt-goes',
    ],
  },
  {
    title: 'The tick',
    line: 'A grid of points in time, one collection for each point, one snapshot for each collection.',
    names: [
      'snapshot/whole',
      'snapshot/no-drift',
      'tick/grid',
      'tick/wall-clock',
      'tick/stopped-process',
      'snapshot/own-period',
    ],
  },
  {
    title: 'What is late',
    line: 'A tick is published on time. A late value keeps its predecessor and follows by itself.',
    names: [
      'snapshot/at-latest-1-s',
      'snapshot/at-latest-half-a-period',
      'snapshot/answers-coalesced',
      'snapshot/news',
      'snapshot/late-keeps-value',
      'snapshot/late-domain-keeps-values',
      'snapshot/late-without-news',
      'snapshot/late-is-not-awaited-again',
      'snapshot/older-than-known',
      'snapshot/failed',
    ],
  },
  {
    title: 'What hangs',
    line: 'A hanging action or call delays the others once. It is never started twice.',
    names: [
      'snapshot/hanging',
      'snapshot/host-from-libvirt-hangs',
      'snapshot/not-twice',
      'snapshot/not-twice-stat',
      'snapshot/not-twice-dying',
    ],
  },
  {
    title: 'A domain starts',
    line: 'Lifecycle events become snapshots at once; a storm of them is coalesced.',
    names: [
      'snapshot/start',
      'snapshot/start-with-slow-action',
      'snapshot/resume',
      'snapshot/defined',
      'snapshot/defined-while-running',
      'snapshot/channel',
      'snapshot/channel-before-values',
      'inventory/first-at-once',
      'snapshot/storm',
      'snapshot/blip',
      'inventory/no-news',
    ],
  },
  {
    title: 'A domain stops',
    line: 'It leaves the snapshot at once, and nothing waits for its values.',
    names: [
      'snapshot/stop',
      'snapshot/stop-cuts-run',
      'snapshot/stop-not-awaited',
      'snapshot/stop-just-before-tick',
      'snapshot/late-result-of-stopped',
    ],
  },
  {
    title: 'A domain restarts',
    line: 'A second run of a domain shares nothing with the first.',
    names: ['snapshot/restart', 'snapshot/late-result-of-earlier-life', 'snapshot/id-used-again'],
  },
  {
    title: 'libvirt is away',
    line: 'Host metrics continue. Values of domains stay for three periods; on its return the list decides.',
    names: [
      'snapshot/libvirt-lost',
      'snapshot/libvirt-is-silent',
      'snapshot/known-while-away',
      'inventory/away',
      'snapshot/libvirt-returns',
      'snapshot/host-from-libvirt',
      'inventory/listed-again',
      'snapshot/listed-again',
    ],
  },
  {
    title: 'A reload',
    line: 'From one pipeline to the next.',
    names: ['reload/no-gap', 'reload/again-before-it-published', 'reload/sinks'],
  },
  {
    title: 'Delivery to the sinks',
    line: 'From snapshots to writes.',
    names: [
      'hand-over/newest',
      'hand-over/slow-sink',
      'hand-over/write-again',
      'hand-over/open-again',
      'hand-over/last-is-delivered',
    ],
  },
  {
    title: 'What fails',
    line: 'The connection to libvirt, channels, and sinks of modules are retried forever.',
    names: ['retry/growing-waits', 'retry/well-again', 'retry/stable'],
  },
];

const filesIn = (directory, ending) =>
  existsSync(join(root, directory))
    ? readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith(ending))
        .sort()
    : [];

const page = (marbles) => {
  const chapters = CHAPTERS.map(({ title, line, names }) => {
    const pictures = names.map((name) => {
      const { sentence } = marbles.find((marble) => marble.name === name);
      return `### ${sentence}\n\n![${name}](marbles/${name}.svg)\n\n[marbles/${name}.txt](../marbles/${name}.txt)\n`;
    });
    return `## ${title}\n\n${line}\n\n${pictures.join('\n')}`;
  });
  const head = `# Timing

How the daemon behaves in time, in six sentences:

1. The daemon collects everything once per period, on a grid that does not drift.
2. It publishes a tick when all answers are in, and after 1 s or half a period at the latest.
3. A late metric keeps its last value until the new one arrives; after three periods the value is marked as late.
4. A hanging source delays the others once; it is not started again before it has ended.
5. A domain that starts or stops is published at once; further changes follow at most every 50 ms, the last one always.
6. Without libvirt host metrics continue, and values of domains stay for three periods.

*The drawings below show each rule, and its exceptions. Each drawing is made from a marble file, and each marble file is
a test ([grammar](../marbles/README.md)). Time runs from left to right. A thick line is a run of an action or of a
statistics call, from its dot on; a bar ends it, and a cross is where it is cut off.*

<!-- Written by scripts/draw-marbles.mjs. -->
`;
  return `${head}\n${chapters.join('\n')}`;
};

const marbles = filesIn('marbles', '.txt').map((file) => {
  const text = readFileSync(join(root, 'marbles', file), 'utf8');
  const name = file.slice(0, -'.txt'.length);
  const parsed = parseMarbleFile(text);
  return { name, sentence: parsed.sentence, svg: drawMarbles(parsed) };
});
const inStory = CHAPTERS.flatMap(({ names }) => names);
const drawn = marbles.map(({ name }) => name);
const misplaced = [
  ...drawn.filter((name) => inStory.filter((other) => other === name).length !== 1),
  ...inStory.filter((name) => !drawn.includes(name)),
];
if (misplaced.length > 0)
  throw new Error(`Not in exactly one chapter of scripts/draw-marbles.mjs: ${misplaced.join(', ')}`);
const wanted = new Map([
  ['docs/timing.md', page(marbles)],
  ...marbles.map(({ name, svg }) => [`docs/marbles/${name}.svg`, svg]),
]);
const present = ['docs/timing.md', ...filesIn('docs/marbles', '.svg').map((name) => `docs/marbles/${name}`)];
const read = (name) => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : undefined);
const stale = [
  ...[...wanted].filter(([name, text]) => read(name) !== text).map(([name]) => name),
  ...present.filter((name) => !wanted.has(name)),
];
if (check && stale.length > 0) {
  console.error(`Not drawn anew after a change of marbles/ (npm run docs:marbles): ${stale.join(', ')}`);
  process.exitCode = 1;
}
if (!check) {
  for (const name of present) if (!wanted.has(name)) rmSync(join(root, name));
  for (const [name, text] of wanted) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}
