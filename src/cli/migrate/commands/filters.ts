import { refuse } from '../not-understood.ts';
import { type Dialect, posixPattern } from './posix-pattern.ts';
import type { Ended, Surroundings } from './tool.ts';
import { unescaped } from './printf.ts';

export const linesOf = (text: string): readonly string[] => {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
};
const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
export const inputOf = (files: readonly string[], input: string, { host }: Surroundings): string =>
  files.length === 0 ? input : files.map((file) => (file === '-' ? input : host.file(file))).join('');

/** Splits words into single-letter options and operands. `valued`: letters with a value. */
export const optionsOf = (
  tool: string,
  args: readonly string[],
  flags: string,
  valued = '',
): { readonly options: ReadonlyMap<string, string>; readonly operands: readonly string[] } => {
  const options = new Map<string, string>();
  const operands: string[] = [];
  const words = [...args];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') {
      operands.push(...words.splice(0));
    } else if (word === '-' || !word.startsWith('-')) operands.push(word);
    else {
      for (let letters = word.slice(1); letters !== ''; letters = letters.slice(1)) {
        const letter = letters[0] ?? '';
        if (valued.includes(letter)) {
          if (options.has(letter)) refuse(`has the option -${letter} of ${tool} twice`);
          options.set(letter, letters.slice(1) || (words.shift() ?? ''));
          break;
        }
        if (!flags.includes(letter)) refuse(`has the option -${letter} of ${tool}`);
        options.set(letter, '');
      }
    }
  }
  return { options, operands };
};

export const grep = (args: readonly string[], input: string, around: Surroundings): Ended => {
  const { options, operands } = optionsOf('grep', args, 'EFivowchsq', 'em');
  const [first, ...rest] = operands;
  const source = options.get('e') ?? first ?? refuse('has no pattern of grep');
  const files = options.has('e') ? operands : rest;
  if (files.length > 1 && !options.has('h')) refuse('has several files of grep');
  const dialect: Dialect = options.has('E') ? 'extended' : 'basic';
  const pattern = options.has('F')
    ? source.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    : posixPattern(source, dialect).source;
  const flags = options.has('i') ? 'gi' : 'g';
  const whole = new RegExp(options.has('w') ? `(?<!\\w)(?:${pattern})(?!\\w)` : pattern, flags);
  const found = linesOf(inputOf(files, input, around))
    .filter((line) => line.search(whole) >= 0 !== options.has('v'))
    .slice(0, Number(options.get('m') ?? Infinity));
  const status = found.length > 0 ? 0 : 1;
  if (options.has('q')) return { output: '', status };
  if (options.has('c')) return { output: `${found.length}\n`, status };
  if (!options.has('o')) return { output: joined(found), status };
  return { output: joined(found.flatMap((line) => line.match(whole) ?? []).filter((part) => part !== '')), status };
};

const picks = (list: string): ((index: number) => boolean) => {
  const ranges = list.split(',').map((part) => {
    const [, from, dash, to] = /^(?=\d|-\d)(\d*)(-?)(\d*)$/.exec(part) ?? refuse(`has the list ${list} of cut`);
    return [Number(from || 1), dash === '' ? Number(from) : Number(to || Infinity)] as const;
  });
  return (index) => ranges.some(([from, to]) => index + 1 >= from && index + 1 <= to);
};

export const cut = (args: readonly string[], input: string, around: Surroundings): string => {
  const { options, operands } = optionsOf('cut', args, 's', 'dfcb');
  const lines = linesOf(inputOf(operands, input, around));
  const characters = options.get('c') ?? options.get('b');
  const wanted = picks(characters ?? options.get('f') ?? refuse('has no list of cut'));
  const delimiter = options.get('d') ?? '\t';
  if (delimiter.length !== 1) return refuse(`has the delimiter ${delimiter} of cut`);
  return joined(
    lines.flatMap((line) => {
      if (characters !== undefined) return [...line].filter((_, index) => wanted(index)).join('');
      if (!line.includes(delimiter)) return options.has('s') ? [] : [line];
      return line
        .split(delimiter)
        .filter((_, index) => wanted(index))
        .join(delimiter);
    }),
  );
};

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();
const DIGITS = '0123456789';
const SETS: Readonly<Record<string, string>> = {
  alnum: UPPER + LOWER + DIGITS,
  alpha: UPPER + LOWER,
  blank: ' \t',
  digit: DIGITS,
  lower: LOWER,
  space: ' \t\n\r\v\f',
  upper: UPPER,
};

const setOf = (text: string): string =>
  unescaped(text)
    .replace(/\[:(\w+):\]/g, (_all, name: string) => SETS[name] ?? refuse(`has the class [:${name}:] of tr`))
    .replace(/([0-9a-zA-Z])-([0-9a-zA-Z])/g, (_all, from: string, to: string) => {
      const start = from.codePointAt(0) ?? 0;
      const length = (to.codePointAt(0) ?? 0) - start + 1;
      return String.fromCodePoint(...Array.from({ length: Math.max(0, length) }, (__, index) => start + index));
    });

export const translate = (args: readonly string[], input: string): string => {
  const { options, operands } = optionsOf('tr', args, 'dsc');
  const [from = '', to] = operands.map(setOf);
  if (options.has('c') && !options.has('d')) return refuse('has the option -c of tr');
  const squeezed = (text: string, set: string): string =>
    [...text].filter((character, index) => character !== text[index - 1] || !set.includes(character)).join('');
  if (options.has('d')) {
    if (options.has('s') || to !== undefined) return refuse('has both -d and a second set of tr');
    return [...input].filter((character) => from.includes(character) === options.has('c')).join('');
  }
  if (to === undefined) return options.has('s') ? squeezed(input, from) : refuse('has one set of tr');
  const mapped = [...input]
    .map((character) => {
      const index = from.lastIndexOf(character);
      return index < 0 ? character : (to[index] ?? to.at(-1) ?? '');
    })
    .join('');
  return options.has('s') ? squeezed(mapped, to) : mapped;
};

const countOf = (
  tool: string,
  args: readonly string[],
): { readonly count: number; readonly files: readonly string[] } => {
  const { options, operands } = optionsOf(
    tool,
    args.map((word) => word.replace(/^-(\d+)$/, '-n$1')),
    '',
    'n',
  );
  const count = options.get('n') ?? '10';
  return { count: /^\d+$/.test(count) ? Number(count) : refuse(`has the count ${count} of ${tool}`), files: operands };
};

export const head = (args: readonly string[], input: string, around: Surroundings): string => {
  const { count, files } = countOf('head', args);
  return joined(linesOf(inputOf(files, input, around)).slice(0, count));
};

export const tail = (args: readonly string[], input: string, around: Surroundings): string => {
  const { count, files } = countOf('tail', args);
  return joined(count === 0 ? [] : linesOf(inputOf(files, input, around)).slice(-count));
};

export const sort = (args: readonly string[], input: string, around: Surroundings): string => {
  const { options, operands } = optionsOf('sort', args, 'u');
  const lines = linesOf(inputOf(operands, input, around)).toSorted();
  return joined(options.has('u') ? [...new Set(lines)] : lines);
};

export const wordCount = (args: readonly string[], input: string): string => {
  if (args.join(' ') !== '-l') return refuse(`runs wc ${args.join(' ')}`);
  return `${input.split('\n').length - 1}\n`;
};
