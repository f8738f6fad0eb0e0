// Draws marbles/**/*.txt as docs/marbles/**/*.svg, and docs/timing.md that shows each with its sentence.
// With --check it writes nothing, and fails where the drawings are not those of the files.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Built by the npm script: tests and drawings read a file in the same way.
import { parseMarbleFile } from '../dist/testing/marbles/parse.js';

import { drawMarbles } from './marble-drawing.mjs';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

const DIRECTORIES = {
  snapshot: [
    'The whole pipeline',
    'From ticks and domains to snapshots, with the runs of actions and statistics calls.',
  ],
  inventory: ['The inventory', 'From what libvirt says of its domains to the list of those that run.'],
  tick: ['Ticks', 'The points of time at which everything is collected.'],
  reload: ['Reload', 'From one pipeline to the next.'],
  'hand-over': ['Hand-over to the sinks', 'From snapshots to what is written.'],
};

const filesIn = (directory, ending) =>
  existsSync(join(root, directory))
    ? readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith(ending))
        .sort()
    : [];

const page = (marbles) => {
  const chapters = Object.entries(DIRECTORIES).map(([directory, [title, line]]) => {
    const pictures = marbles
      .filter(({ name }) => name.startsWith(`${directory}/`))
      .map(
        ({ name, sentence }) =>
          `### ${sentence}\n\n![${name}](marbles/${name}.svg)\n\n[marbles/${name}.txt](../marbles/${name}.txt)\n`,
      );
    return `## ${title}\n\n${line}\n\n${pictures.join('\n')}`;
  });
  const head = `# Timing

How the daemon behaves in time. Each drawing is made from a marble file, and each marble file is a test
([grammar](../marbles/README.md)). Time runs from left to right. A thick line is a run of an action or of a
statistics call, from its dot on; a bar ends it, and a cross is where it is cut off.

<!-- Written by scripts/draw-marbles.mjs. -->
`;
  return `${head}\n${chapters.join('\n')}`;
};

const marbles = filesIn('marbles', '.txt').map((file) => {
  const text = readFileSync(join(root, 'marbles', file), 'utf8');
  const name = file.slice(0, -'.txt'.length);
  if (!(dirname(name) in DIRECTORIES)) throw new Error(`marbles/${dirname(name)} has no chapter in ${import.meta.url}`);
  const parsed = parseMarbleFile(text);
  return { name, sentence: parsed.sentence, svg: drawMarbles(parsed) };
});
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
