// Draws a marble file, as src/testing/marbles/parse.ts parses it, as SVG: light and dark, with an axis in ms.

const DASH = 26;
const RADIUS = 11;
const LANE = 30;
const PAD = 16;
const LINE = 19;
const SIZE = 13;
/** Minimum width in pixels: the texts below the axis need it. */
const LEAST = 460;

const STYLE = `
.page{fill:#fff}.text{fill:#1f2328}.dim{fill:#59636e}.grid{stroke:#e4e7eb}.line{stroke:#59636e;fill:none}.head{fill:#59636e}
.box{fill:#f6f8fa;stroke:#d1d9e0}.in{fill:#ddf4ff;stroke:#0969da}.out{fill:#dafbe1;stroke:#1a7f37}
.run{stroke:#9a6700;fill:none}.dot{fill:#9a6700}.value{fill:#fff8c5;stroke:#9a6700}
@media (prefers-color-scheme:dark){
.page{fill:#0d1117}.text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#262c36}.line{stroke:#9198a1}.head{fill:#9198a1}
.box{fill:#151b23;stroke:#3d444d}.in{fill:#0c2d6b;stroke:#58a6ff}.out{fill:#0f3d1c;stroke:#3fb950}
.run{stroke:#d29922}.dot{fill:#d29922}.value{fill:#3a2d00;stroke:#d29922}
}
`;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Returns the estimated width of a text in pixels, rather too large: sans-serif fonts differ. */
export const widthOf = (text, size = SIZE) =>
  [...text].reduce(
    (sum, c) => sum + (/[mwMW@%]|[^\0-\xff]/.test(c) ? 1 : /[A-Z]/.test(c) ? 0.8 : c === ' ' ? 0.4 : 0.66),
    0,
  ) * size;

const write = (x, y, text, { size = SIZE, more = '', kind = 'text' } = {}) =>
  `<text class="${kind}" x="${x}" y="${y}" font-size="${size}"${more}>${escape(text)}</text>`;

/** Returns lines up to the given width, broken between items, and inside an item only if it is too long for a line. */
const wrap = (items, width) => {
  const words = items
    .map((item, at) => (at < items.length - 1 ? `${item},` : item))
    .flatMap((item) => (widthOf(item) > width ? item.split(' ') : [item]));
  return words.reduce((lines, word) => {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    return lines.length > 0 && widthOf(longer) <= width ? [...lines.slice(0, -1), longer] : [...lines, word];
  }, []);
};

/** Returns letters and ends with their dash; all letters of a (group) have the same dash. */
const eventsOf = (marbles) => {
  let group;
  return [...marbles].flatMap((character, at) => {
    if (character === '(') group = at;
    else if (character === ')') group = undefined;
    else if (character !== '-') return [{ character, at: group ?? at }];
    return [];
  });
};
const isEnd = ({ character }) => character === '|' || character === '#';

/** Returns the text inside a marble: the meaning of its letter if that is short enough, else the letter. */
const shown = (letter, values) => {
  const meaning = values.get(letter) ?? letter;
  return widthOf(meaning) <= 2 * RADIUS - 4 ? meaning : letter;
};
const meanings = (values) =>
  [...values].filter(([letter, meaning]) => shown(letter, values) !== meaning).map((pair) => pair.join(': '));

/** Returns the marbles of one line; those of one instant are below each other. */
const marblesAt = (events, values, x, y, kind) => {
  const depth = new Map();
  return events
    .filter((event) => !isEnd(event))
    .map(({ character, at }) => {
      const below = depth.get(at) ?? 0;
      depth.set(at, below + 1);
      const [cx, cy] = [x(at), y + below * LANE];
      return `<circle class="${kind}" cx="${cx}" cy="${cy}" r="${RADIUS}"/>${write(cx, cy + 4.5, shown(character, values), { more: ' text-anchor="middle"' })}`;
    });
};

const endAt = ({ character, at }, x, y, kind) =>
  character === '|'
    ? `<path class="${kind}" d="M${x(at)} ${y - 14}v28" stroke-width="2"/>`
    : `<path class="${kind}" d="M${x(at) - 6} ${y - 6}l12 12m0 -12l-12 12" stroke-width="2"/>`;

const deepest = (events) => {
  const letters = events.filter((event) => !isEnd(event)).map(({ at }) => at);
  return Math.max(1, ...letters.map((at) => letters.filter((other) => other === at).length));
};

/**
 * Returns a stream: its own marbles on an arrow, and its runs on the same arrow, or on lanes below where they overlap.
 */
const streamAt = (stream, x, top, dashes) => {
  const events = eventsOf(stream.marbles);
  const isRun = ({ character }) => !isEnd({ character }) && !stream.values.has(character) && stream.runs.has(character);
  const own = events.filter((event) => !isRun(event));
  const letters = own.some((event) => !isEnd(event));
  const free = letters ? Array.from({ length: deepest(own) }, () => Infinity) : [];
  const runs = events.filter(isRun).map(({ character, at }) => {
    const { marbles, values } = stream.runs.get(character);
    const inner = eventsOf(marbles).filter((event) => at + event.at < dashes);
    // An error ends a run, too; a run without an end continues.
    const ends = (event) => isEnd(event) || values.get(event.character)?.startsWith('error:');
    const until = inner.find(ends)?.at ?? dashes - at;
    const [tall, from] = [deepest(inner), at];
    let lane = 0;
    while (Array.from({ length: tall }, (_, below) => free[lane + below] ?? -1).some((taken) => taken >= from))
      lane += 1;
    for (let below = 0; below < tall; below += 1) free[lane + below] = at + until;
    const shift = (dash) => x(at + dash);
    const y = top + LANE / 2 + lane * LANE;
    const drawn = [
      `<path class="run" d="M${x(at)} ${y}H${shift(until)}" stroke-width="4"/><circle class="dot" cx="${x(at)}" cy="${y}" r="5"/>`,
      ...inner.filter(isEnd).map((event) => endAt(event, shift, y, 'run')),
      ...marblesAt(inner, values, shift, y, 'value'),
    ];
    return drawn.join('');
  });
  const y = top + LANE / 2;
  const end = own.find(isEnd);
  const right = end === undefined ? x(dashes) : x(end.at);
  const arrow =
    `<path class="line" d="M${x(0)} ${y}H${right}"/>` +
    (end === undefined ? `<path class="head" d="M${right} ${y - 4}l8 4l-8 4z"/>` : endAt(end, x, y, 'line'));
  const marbles = marblesAt(own, stream.values, x, y, stream.output ? 'out' : 'in');
  const used = [...new Set(events.filter(isRun).map(({ character }) => character))];
  const notes = [...meanings(stream.values), ...used.flatMap((letter) => meanings(stream.runs.get(letter).values))];
  return {
    height: LANE * Math.max(1, free.length) + 8,
    svg: [arrow, ...runs, ...marbles].join(''),
    notes: [...new Set(notes)],
  };
};

/** Returns the ticks of the axis, 1, 2 or 5 times a power of ten dashes apart, so that labels do not touch. */
const ticksOf = (dashes, dash) => {
  const widest = widthOf((dashes * dash).toLocaleString('en')) + 14;
  const steps = [1, 10, 100, 1000].flatMap((ten) => [ten, 2 * ten, 5 * ten]);
  const step = steps.find((dashesApart) => dashesApart * DASH >= widest) ?? dashes;
  return Array.from({ length: Math.floor(dashes / step) + 1 }, (_, nth) => nth * step);
};

/** Returns the drawing of a marble file as SVG. */
export const drawMarbles = ({ sentence, dash, subject, parameters, streams }) => {
  const dashes = Math.max(...streams.map(({ marbles }) => marbles.length));
  // The parameters are drawn beside the subject.
  const labels = ['time in ms', ...streams.map(({ title }) => title), ...(parameters.size > 0 ? [subject] : [])];
  const left = PAD + Math.max(...labels.map((label) => widthOf(label))) + 22;
  const x = (at) => Math.round(left + at * DASH);
  const lastLabel = widthOf((dashes * dash).toLocaleString('en')) / 2;
  const right = Math.max(x(dashes) + Math.max(8, lastLabel - 8), Math.round(left) + LEAST);
  const parts = [];
  const notes = [];
  let y = PAD;
  const place = (stream) => {
    const { height, svg, notes: more } = streamAt(stream, x, y, dashes);
    parts.push(write(PAD, y + LANE / 2 + 4.5, stream.title), svg);
    if (more.length > 0) notes.push([stream.title, more]);
    y += height;
  };
  streams.filter(({ output }) => !output).forEach(place);
  const settings = [...parameters].map((pair) => pair.join(' = '));
  const lines = wrap(settings, right - left - 10);
  const box = Math.max(1, lines.length) * LINE + 14;
  parts.push(
    `<rect class="box" x="${PAD - 8}" y="${y}" width="${right - PAD + 8}" height="${box}" rx="5"/>`,
    write(PAD, y + 20, subject, { more: ' font-weight="bold"' }),
    ...lines.map((line, at) => write(x(0), y + 20 + at * LINE, line)),
  );
  const streamsEnd = y;
  y += box + 8;
  streams.filter(({ output }) => output).forEach(place);
  const axis = y + 4;
  const ticks = ticksOf(dashes, dash);
  const grid = [
    [PAD / 2, streamsEnd],
    [streamsEnd + box, axis],
  ].flatMap(([from, to]) => ticks.map((at) => `<path class="grid" d="M${x(at)} ${from}V${to}"/>`));
  parts.push(
    `<path class="line" d="M${x(0)} ${axis}H${x(dashes)}"/>`,
    write(PAD, axis + 18, 'time in ms', { kind: 'dim' }),
    ...ticks.map(
      (at) =>
        `<path class="line" d="M${x(at)} ${axis}v5"/>${write(x(at), axis + 18, (at * dash).toLocaleString('en'), { kind: 'dim', more: ' text-anchor="middle"' })}`,
    ),
  );
  y = axis + 42;
  let widest = right;
  for (const [title, items] of notes) {
    const wrapped = wrap(items, right - left);
    parts.push(write(PAD, y, title, { kind: 'dim' }), ...wrapped.map((line, at) => write(x(0), y + at * LINE, line)));
    widest = Math.max(widest, ...wrapped.map((line) => x(0) + widthOf(line)));
    y += wrapped.length * LINE + 4;
  }
  const [width, height] = [Math.ceil(widest + PAD), y - (notes.length > 0 ? 8 : 14)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Helvetica, Arial, sans-serif" role="img"><title>${escape(sentence)}</title><style>${STYLE}</style>
<rect class="page" width="${width}" height="${height}"/>
${[...grid, ...parts].join('\n')}
</svg>
`;
};
