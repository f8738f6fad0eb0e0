import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One fenced block of the guide. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Number of its first line. */
  readonly line: number;
}

/** A command of a console block, with the lines that it shows. */
export interface Command {
  readonly command: string;
  readonly shows: readonly string[];
}

const GUIDE = fileURLToPath(new URL('../../docs/write-a-sink.md', import.meta.url));

/** The fenced blocks of the guide. */
export const blocks = (): readonly Block[] => {
  const text = readFileSync(GUIDE, 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: inner = '', index }) => ({
    language,
    text: inner,
    line: text.slice(0, index).split('\n').length + 1,
  }));
};

/** The commands of a console block. */
export const commandsOf = ({ text }: Block): readonly Command[] =>
  text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...shows] = part.trimEnd().split('\n');
      return { command, shows };
    });

/** Whether lines stand in a text in that order; `...` stands for anything, as a line for any lines. */
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
