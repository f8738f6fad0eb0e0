// Fills the facts of the code into Markdown: what is between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. In a list
// the first line of each item is a fact. The other lines are written by hand, and stay.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const modules = '../.cache/modules';
const { BUILT_IN, COMMON } = await import(`${modules}/cli/command.js`);
const { COMMANDS, DAEMON } = await import(`${modules}/cli/commands.js`);
const { GRAMMAR } = await import(`${modules}/config/grammar.js`);
const { STATISTICS } = await import(`${modules}/model/statistics.js`);
const { CAUSES, NOTHING } = await import(`${modules}/verdict/causes.js`);
const { EVIDENCE } = await import(`${modules}/verdict/evidence.js`);

const code = (text) => `\`${text}\``;
const either = (values) =>
  values
    .map(code)
    .join(', ')
    .replace(/, (?=[^,]*$)/, ' or ');

/** What an item is about: a long option, an element, an attribute, or an operand. */
const keyOf = (line) => /`(--[\w-]+|<\w+|\w+)/.exec(line)?.[1] ?? line;

/** Makes a list of the first lines of its items, which keep their other lines. */
const list = (firsts) => (before) => {
  const others = new Map(
    before.split(/^(?=- )/m).flatMap((item) => {
      const [first, ...rest] = item.split('\n');
      return first === '' ? [] : [[keyOf(first), rest.join('\n').trimEnd()]];
    }),
  );
  const items = firsts.map((first) => {
    const rest = others.get(keyOf(first)) ?? '';
    others.delete(keyOf(first));
    return `${first}\n${rest === '' ? '' : `${rest}\n`}`;
  });
  for (const [key, rest] of others)
    if (rest !== '') throw new Error(`There is no ${key} any more, but a text: ${rest}`);
  return items.join('');
};

// --- The command line ---

const wordsOf = ([key, { type, alias, takes }]) => {
  const [short, long] = key === 'f' ? [key, alias] : [alias, key];
  const value = (separator) => (type === 'string' ? `${separator}${takes}` : '');
  return {
    short: short === undefined ? undefined : `-${short}${value(' ')}`,
    long: long === undefined ? undefined : `--${long}${value('=')}`,
  };
};

const optionLine = (entry) => {
  const [, { describe, choices, default: usual }] = entry;
  const { short, long } = wordsOf(entry);
  const heads = [short, long].filter((word) => word !== undefined).map(code);
  const about = [
    describe,
    ...(choices === undefined ? [] : [either(choices)]),
    ...(typeof usual === 'string' ? [`default ${code(usual)}`] : []),
  ].join('; ');
  return `- ${heads.join(', ')}: ${about}.`;
};

const optionList = (options) => list(Object.entries(options).map(optionLine));
const argumentList = ({ operands, options }) =>
  list([
    ...Object.entries(operands).map(
      ([name, { describe, choices }]) =>
        `- ${code(name.toUpperCase())}: ${describe}${choices === undefined ? '' : `; ${either(choices)}`}.`,
    ),
    ...Object.entries(options).map(optionLine),
  ]);

/** Breaks the words of a command into lines of a manual page. */
const usage = (command, words) => {
  const lines = [command];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= 70) lines[lines.length - 1] = longer;
    else lines.push(`${' '.repeat(command.length)} ${word}`);
  }
  return lines.join('\n');
};

const optionWords = (options) =>
  Object.entries(options).map((entry) => {
    const { short, long } = wordsOf(entry);
    return `[${short ?? long}]${entry[0] === 'device' ? '...' : ''}`;
  });

const synopsis = () => {
  const lines = [
    usage('vhostmd', optionWords({ ...DAEMON.options, ...COMMON })),
    ...COMMANDS.map(({ command, options }) => {
      const [name, ...operands] = command.split(' ');
      const words = operands.map((operand) => operand.replaceAll(/[<>]/g, '').toUpperCase());
      return usage(`vhostmd ${name}`, [...optionWords(options), ...words]);
    }),
    'vhostmd --help | --version',
  ];
  return `\`\`\`synopsis\n${lines.join('\n')}\n\`\`\`\n`;
};

const commandFacts = Object.fromEntries(
  COMMANDS.flatMap((command) => {
    const [name] = command.command.split(' ');
    return [
      [`about ${name}`, () => `${command.describe}.\n`],
      [`arguments of ${name}`, argumentList(command)],
    ];
  }),
);

// --- The configuration file ---

const HOW_OFTEN = { '': 'once', '?': 'at most once', '*': 'any number', '+': 'once or more' };

const attributeLine = ([name, { required, values }]) =>
  `- ${code(name)} (${required ? 'required' : 'optional'}):${values === undefined ? '' : ` ${either(values)}.`}`;

const elementLine = (written) => {
  const [, names, often] = /^(.*?)([?*+]?)$/.exec(written);
  const tags = names.split('|').map((name) => {
    const rule = GRAMMAR.get(name);
    // The attributes of other elements have a list of their own.
    if (rule.content !== 'text') return code(`<${name}>`);
    const attributes = Object.entries(rule.attributes).map(([own, { required }]) =>
      required ? ` ${own}=".."` : ` [${own}=".."]`,
    );
    return code(`<${name}${attributes.join('')}>`);
  });
  return tags.map(
    (tag) =>
      `- ${tag} (${HOW_OFTEN[often]}${tags.length > 1 ? `, or ${code(`<${names.split('|').find((name) => !tag.includes(`<${name}`))}>`)}` : ''}):`,
  );
};

const grammarFacts = Object.fromEntries(
  [...GRAMMAR].flatMap(([name, { model, content, attributes }]) => {
    return [
      [`elements of ${name}`, content === 'text' ? undefined : list(model.split(' ').flatMap(elementLine))],
      [`attributes of ${name}`, list(Object.entries(attributes).map(attributeLine))],
    ].filter(([, fact]) => fact !== undefined);
  }),
);

// --- Statistics ---

const table = (statistics) =>
  [
    '| name | type | unit | kind | from | meaning |\n|---|---|---|---|---|---|\n',
    ...statistics.map(
      ({ name, type, unit, kind, via, meaning }) =>
        `| \`${name}\` | ${type} | ${unit} | ${kind === 'untyped' ? '' : kind} | ${via} | ${meaning} |\n`,
    ),
  ].join('');

// --- The verdict ---

const condition = ({ evidence, atLeast, atMost }) => {
  const { unit, meaning } = EVIDENCE[evidence];
  const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return `${bound} ${unit} ${meaning}`;
};

const verdictTable = () =>
  [
    '| cause | if | the guest is told |\n|---|---|---|\n',
    ...CAUSES.map(
      ({ name, when, guest, ask }) =>
        `| [${code(name)}](#${name}) | ${when.map(condition).join('; and ')} | ${guest} ${ask} |\n`,
    ),
  ].join('');

/** Breaks a text into lines of at most 120 columns. */
const wrapped = (text, indent = '') => {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)}${lines.at(-1).trim() === '' ? '' : ' '}${word}`;
    if (longer.length <= 120) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${word}`);
  }
  return `${lines.join('\n')}\n`;
};
const itemsOf = (items) => items.map((item) => wrapped(`- ${item}`, '  ')).join('');

const runbook = () =>
  CAUSES.map(({ name, title, looks, prove, remedy }) =>
    [
      `### ${name}\n\n${wrapped(`**${title}.** ${looks}`)}\n`,
      `How to prove it, on the host:\n\n\`\`\`\n${prove.join('\n')}\n\`\`\`\n\n`,
      `What to do:\n\n${itemsOf(remedy)}\n`,
    ].join(''),
  ).join('');

const evidenceTable = () =>
  [
    '| quantity | unit | what it is | growth of | over the growth of |\n|---|---|---|---|---|\n',
    ...Object.entries(EVIDENCE).map(([name, { unit, meaning, plus, minus, of, each }]) => {
      const grows = [plus.map(code).join(' + '), ...minus.map((less) => `less ${code(less)}`)].join(', ');
      const whole = [of.map(code).join(' + '), ...(each === undefined ? [] : [`times ${code(each)}`])].join(', ');
      return `| ${code(name)} | ${unit} | ${meaning} | ${grows} | ${whole || 'its current value'} |\n`;
    }),
  ].join('');

// --- The tool for guests ---

const toolOptions = () => {
  const help = execFileSync(join(import.meta.dirname, '../guest/vm-dump-metrics'), ['--help'], { encoding: 'utf8' });
  const options = help.match(/^ {2,6}-.*(?:\n {10,}\S.*)*/gm).map((lines) => {
    const [, short, long, value, describe] = /^ +(?:(-\w), )?(--[a-z]+)(?: (\S+))?\s{2,}([^]*)$/.exec(lines);
    const heads = [short && `${short}${value ? ` ${value}` : ''}`, `${long}${value ? `=${value}` : ''}`];
    const text = describe.replaceAll(/\s+/g, ' ');
    return `- ${heads.filter(Boolean).map(code).join(', ')}: ${text[0].toUpperCase()}${text.slice(1)}.`;
  });
  return list(options);
};

const FACTS = {
  synopsis,
  options: optionList({ ...DAEMON.options, ...COMMON, ...BUILT_IN }),
  ...commandFacts,
  ...grammarFacts,
  host: () => table(STATISTICS.host),
  vm: () => table(STATISTICS.vm),
  'decision table': verdictTable,
  evidence: evidenceTable,
  runbook,
  'options of vm-dump-metrics': toolOptions(),
};

/** Returns the text of a page with the facts of the code. */
export const withFacts = (markdown) =>
  markdown.replaceAll(/(<!-- ([\w -]+): begin -->\n)([^]*?)(?=<!-- \2: end -->)/g, (_all, begin, name, before) => {
    const fact = FACTS[name];
    if (fact === undefined) throw new Error(`There are no facts "${name}", only: ${Object.keys(FACTS).join(', ')}`);
    return begin + fact(before);
  });

/** Returns the tool of guests with the decision table: a row a line, with tabs between its cells. */
export const withTable = (tool) => {
  const rows = [
    ...Object.entries(EVIDENCE).map(([name, { unit, factor, enough, each, plus, minus, of, meaning }]) => [
      'quantity',
      name,
      unit,
      factor,
      enough,
      each ?? '',
      plus.join(' '),
      minus.join(' '),
      of.join(' '),
      meaning,
    ]),
    ...CAUSES.flatMap(({ name, title, guest, ask, when }) => [
      ['cause', name, title, guest, ask],
      ...when.map(({ evidence, atLeast = '', atMost = '', ifAbsent }) => [
        'condition',
        evidence,
        atLeast,
        atMost,
        ifAbsent,
      ]),
    ]),
    ['words', 'found', 'The host slows this VM down.'],
    ['words', 'none', NOTHING.guest],
    ['words', 'unknown', `${NOTHING.unknown}.`],
  ];
  const lines = rows.map((cells) => `${cells.join('\t')}\n`).join('');
  return tool.replace(
    /(# The decision table \(.*\): begin\n)[^]*?(?=# The decision table: end\n)/,
    (_all, begin) => begin + lines,
  );
};
