// Draws marbles/**/*.txt as docs/marbles/**/*.svg, and docs/timing.md that shows each with its sentence.
// With --check it writes nothing, and fails where the drawings are not those of the files.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { parseMarbleDiagramSpecification } from '@swirly/parser';
import { renderMarbleDiagram } from '@swirly/renderer-node';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

const STYLES = {
  frame_width: 20,
  event_radius: 13,
  event_value_font_size: 14,
  stream_title_width: 170,
  stream_title_font_size: 16,
  operator_title_font_size: 18,
  operator_height: 36,
  completion_height: 30,
  stacking_height: 28,
  canvas_padding: 20,
};
const LINE = 20;

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

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const blocksOf = (text) =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('%'))
    .join('\n')
    .split(/\n\s*\n/)
    .map((block) => block.trim().split('\n'));

// Long meanings do not fit into a circle: the letter is drawn instead, and the meaning goes below.
const short = (block) => block.map((line) => line.replace(/^(\S) := (?!\S{1,2}$).*$/, '$1 := $1'));

const draw = (text) => {
  const blocks = blocksOf(text);
  const runs = new Map(
    blocks.map(([head]) => /^([A-Za-z]) = (\S+)$/.exec(head)).flatMap((run) => (run ? [[run[1], run[2]]] : [])),
  );
  const streams = blocks.filter(([head]) => !head.startsWith('>') && !/^[A-Za-z] = /.test(head));
  const width = Math.max(...streams.map(([marbles]) => marbles.length));
  const diagram = parseMarbleDiagramSpecification(blocks.map((block) => short(block).join('\n')).join('\n\n'));
  // Arrows are as long as the marbles say, also where nothing happens at their end.
  diagram.content
    .filter(({ kind }) => kind === 'S')
    .forEach((stream, at) => {
      const letters = streams[at][0].match(/[A-Za-z0-9]/g) ?? [];
      stream.duration = width - 1;
      stream.messages
        .filter(({ notification }) => notification.kind === 'N')
        .forEach(({ frame, notification }, nth) => {
          if (notification.value.kind === 'S')
            notification.value.duration = Math.min(runs.get(letters[nth]).length, width - frame) - 1;
        });
    });
  const { xml, width: pixels, height } = renderMarbleDiagram(diagram, { styles: STYLES });
  const unit = /^% (1 dash = .*)$/m.exec(text)[1];
  const [subject, ...parameters] = blocks.find(([head]) => head.startsWith('>'));
  const meanings = blocks.flatMap((block) => {
    const lines = block.flatMap((line) => /^(\S) := (?!\S{1,2}$)(.*)$/.exec(line)?.slice(1).join(': ') ?? []);
    const title = block.find((line) => line.startsWith('title = '))?.slice(8) ?? `run ${block[0][0]}`;
    return lines.length === 0 ? [] : [`${title}   ${lines.join(',   ')}`];
  });
  const notes = [[unit, ...parameters].join(',   '), ...meanings];
  const wide = Math.max(pixels, ...notes.map((note) => note.length * 7.5 + 2 * STYLES.canvas_padding));
  const high = height + notes.length * LINE;
  const legend = notes.map(
    (note, at) =>
      `<text x="${STYLES.canvas_padding}" y="${height + at * LINE}" font-family="Arial, Helvetica, sans-serif" font-size="14" xml:space="preserve">${escape(note)}</text>`,
  );
  if (!subject || !xml.endsWith('</svg>')) throw new Error('not a drawing');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}"><rect width="100%" height="100%" fill="white"/>${xml}${legend.join('')}</svg>\n`;
};

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
([grammar](../marbles/README.md)). Time runs from left to right. A slanted arrow is a run of an action or of a
statistics call; a bar ends it, and a cross is where it is cut off.

<!-- Written by scripts/draw-marbles.mjs. -->
`;
  return `${head}\n${chapters.join('\n')}`;
};

const marbles = filesIn('marbles', '.txt').map((file) => {
  const text = readFileSync(join(root, 'marbles', file), 'utf8');
  const name = file.slice(0, -'.txt'.length);
  if (!(dirname(name) in DIRECTORIES)) throw new Error(`marbles/${dirname(name)} has no chapter in ${import.meta.url}`);
  return { name, sentence: text.split('\n')[0].slice(2), svg: draw(text) };
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
