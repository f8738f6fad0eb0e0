/** Marbles with the meanings of their letters. */
export interface Marbles {
  readonly marbles: string;
  /** Meaning by letter. */
  readonly values: ReadonlyMap<string, string>;
}

/** A stream of a marble file. Its letters are values, or runs: streams of their own. */
export interface Stream extends Marbles {
  readonly title: string;
  /** True for a stream below the subject: the expected output. */
  readonly output: boolean;
  readonly runs: ReadonlyMap<string, Marbles>;
}

/** A parsed marble file. The grammar is in marbles/README.md. */
export interface MarbleFile {
  readonly sentence: string;
  /** Milliseconds per character. */
  readonly dash: number;
  readonly subject: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly streams: readonly Stream[];
}

const SENTENCE = /^% (\S.*[.?!])$/;
const UNIT = /^% 1 dash = (\d+) ms$/;
const RUN = /^([A-Za-z]) = (\S+)$/;
const ASSIGNMENT = /^([A-Za-z0-9]) := (\S.*)$/;
const PARAMETER = /^(\S.*?) = (\S.*)$/;
const MARBLES = /^[-A-Za-z0-9()|#]+$/;

const lettersOf = ({ marbles }: Marbles): readonly string[] => marbles.match(/[A-Za-z0-9]/g) ?? [];

const blocksOf = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('%'))
    .join('\n')
    .split(/\n\s*\n/)
    .map((block) => block.split('\n').filter((line) => line.trim() !== ''))
    .filter((block) => block.length > 0);

const unique = <T>(entries: readonly (readonly [string, T])[], what: string): ReadonlyMap<string, T> => {
  const map = new Map(entries);
  if (map.size < entries.length) throw new Error(`${what} twice: ${entries.map(([key]) => key).join(', ')}`);
  return map;
};

const match = (line: string, pattern: RegExp, expected: string): RegExpExecArray => {
  const found = pattern.exec(line);
  if (found === null) throw new Error(`expected ${expected}, found: ${line}`);
  return found;
};

const assignments = (lines: readonly string[]): ReadonlyMap<string, string> =>
  unique(
    lines.map((line) => {
      const [, letter = '', value = ''] = match(line, ASSIGNMENT, '"x := value"');
      return [letter, value] as const;
    }),
    'a letter is assigned',
  );

// A digit means itself; every other letter needs a run or a meaning, and every meaning needs its letter.
const readable = <T extends Marbles>(stream: T, runs: ReadonlyMap<string, Marbles> = new Map()): T => {
  match(stream.marbles, MARBLES, 'marbles');
  const letters = lettersOf(stream);
  for (const letter of letters) {
    if (!stream.values.has(letter) && !runs.has(letter) && !/\d/.test(letter))
      throw new Error(`unknown letter ${letter} in: ${stream.marbles}`);
  }
  for (const letter of stream.values.keys()) {
    if (!letters.includes(letter)) throw new Error(`letter ${letter} is not used in: ${stream.marbles}`);
  }
  return stream;
};

/**
 * Parses a marble file.
 *
 * @throws Error if the text breaks the grammar.
 */
export const parseMarbleFile = (text: string): MarbleFile => {
  const [first = '', second = ''] = text.split('\n');
  const [, sentence = ''] = match(first, SENTENCE, 'a sentence in the first line: "% ..."');
  const [, dash = ''] = match(second, UNIT, 'the unit in the second line: "% 1 dash = 10 ms"');
  const blocks = blocksOf(text);
  const at = blocks.findIndex(([head]) => head?.startsWith('>'));
  const [subject = '', ...parameterLines] = blocks[at] ?? [];
  if (at < 0 || blocks.some(([head], index) => index !== at && head?.startsWith('>')))
    throw new Error('expected one subject: "> name"');

  const isRun = (block: readonly string[]): boolean => RUN.test(block[0] ?? '');
  const runs = unique(
    blocks.filter(isRun).map(([head = '', ...rest]) => {
      const [, letter = '', marbles = ''] = RUN.exec(head) ?? [];
      return [letter, readable({ marbles, values: assignments(rest) })] as const;
    }),
    'a run is defined',
  );
  const streams = blocks.flatMap((block, index): readonly Stream[] => {
    if (index === at || isRun(block)) return [];
    const [marbles = '', titleLine = '', ...rest] = block;
    const [, title = ''] = match(titleLine, /^title = (\S.*)$/, `"title = .." below ${marbles}`);
    return [readable({ title, output: index > at, marbles, values: assignments(rest), runs }, runs)];
  });
  unique(
    streams.map(({ title }) => [title, true]),
    'a title is given',
  );
  for (const letter of runs.keys()) {
    if (!streams.some((stream) => lettersOf(stream).includes(letter))) throw new Error(`run ${letter} is not used`);
  }
  if (!streams.some(({ output }) => output)) throw new Error('nothing stands below the subject: nothing is asserted');
  return {
    sentence,
    dash: Number(dash),
    subject: subject.slice(1).trim(),
    parameters: unique(
      parameterLines.map((line) => {
        const [, key = '', value = ''] = match(line, PARAMETER, '"parameter = value"');
        return [key, value] as const;
      }),
      'a parameter is given',
    ),
    streams,
  };
};
