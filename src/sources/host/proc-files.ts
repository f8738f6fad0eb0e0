import { readFileSync } from 'node:fs';

/** Files of the kernel, each read and parsed at most once. All throw an Error for a missing file or entry. */
export interface HostFiles {
  readonly text: (path: string) => string;
  /** First number of the line that starts with that name, as in meminfo and vmstat. */
  readonly entry: (path: string, name: string) => number;
  /** All numbers of the line that starts with that name, as in stat. */
  readonly numbers: (path: string, name: string) => readonly number[];
}

/**
 * Makes a reader for one collection. `root` stands before the paths, for tests. The kernel serves these files from
 * memory, so reading does not block.
 */
export const hostFiles = (root: string): HostFiles => filesOf((path) => readText(root, path));

/** Makes a reader of files whose texts `load` returns. */
export const filesOf = (load: (path: string) => string): HostFiles => {
  const texts = new Map<string, string>();

  const text = (path: string): string => {
    const known = texts.get(path);
    if (known !== undefined) return known;
    const read = load(path);
    texts.set(path, read);
    return read;
  };
  const numbers = (path: string, name: string): readonly number[] => {
    const line = lineOf(name).exec(text(path));
    if (line === null) throw new Error(`${path} has no line ${name}`);
    return (line[1]?.match(/[^\s:]+/g) ?? []).map(Number).filter(Number.isFinite);
  };
  const entry = (path: string, name: string): number => {
    const [value] = numbers(path, name);
    if (value === undefined) throw new Error(`${path} has no number in line ${name}`);
    return value;
  };
  return { text, entry, numbers };
};

const readText = (root: string, path: string): string => {
  try {
    return readFileSync(root + path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
};

// A file may have hundreds of lines, of which a few are wanted. By name, because a pattern is compiled once.
const patterns = new Map<string, RegExp>();
const lineOf = (name: string): RegExp => {
  const pattern = patterns.get(name) ?? new RegExp(`^[ \\t]*${name}(?:[ \\t:]+(.*))?$`, 'm');
  patterns.set(name, pattern);
  return pattern;
};
