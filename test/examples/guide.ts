import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One fenced block of the guide. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Number of its first line. */
  readonly line: number;
}

/** A command of a console block, with the lines of its output. */
export interface Command {
  readonly command: string;
  readonly shows: readonly string[];
}

const GUIDE = fileURLToPath(new URL('../../docs/write-a-sink.md', import.meta.url));

/** Returns the fenced blocks of the guide. */
export const blocks = (): readonly Block[] => {
  const text = readFileSync(GUIDE, 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: inner = '', index }) => ({
    language,
    text: inner,
    line: text.slice(0, index).split('\n').length + 1,
  }));
};

/** Returns the commands of a console block. */
export const commandsOf = ({ text }: Block): readonly Command[] =>
  text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...shows] = part.trimEnd().split('\n');
      return { command, shows };
    });

/** Returns true if a text has these lines in that order; `...` matches any text, on its own any lines. */
export const isShown = (shows: readonly string[], text: string): boolean => {
  const lines = text.split('\n');
  let from = 0;
  let mayskip = false;
  for (const show of shows) {
    if (show === '...') {
      mayskip = true;
      continue;
    }
    const pattern = new RegExp(
      `^${show
        .split('...')
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    );
    const found = lines.findIndex((line, index) => index >= from && pattern.test(line));
    if (found === -1 || (!mayskip && found !== from)) return false;
    from = found + 1;
    mayskip = false;
  }
  return true;
};
