// A word of the shell: adjacent quoted and unquoted pieces.
const WORD = /(?:\\[^]|'[^']*'|"(?:\\[^]|[^"\\])*"|[^\s;'"\\])+/.source;
const TOKEN = new RegExp(String.raw`(#.*)|([\n;])|(\\\n)|(${WORD})`, 'g');
const PIECE = /\\\n|\\([^])|'([^']*)'|"((?:\\[^]|[^"\\])*)"/g;
const ASSIGNMENT = /^([A-Za-z_]\w*)=([^]*)$/;

const unquoted = (word: string): string =>
  word.replace(PIECE, (_piece, escaped?: string, single?: string, double?: string) =>
    double === undefined ? (escaped ?? single ?? '') : double.replace(/\\\n/g, '').replace(/\\([$`"\\])/g, '$1'),
  );

/** Returns the commands of a shell text, each as its quoted words, without comments. */
const commands = (text: string): readonly (readonly string[])[] => {
  const found: string[][] = [[]];
  for (const [, comment, separator, , word] of text.matchAll(TOKEN)) {
    if (separator !== undefined) found.push([]);
    else if (comment === undefined && word !== undefined) found.at(-1)?.push(word);
  }
  return found;
};

const variables = (text: string): ReadonlyMap<string, string> =>
  new Map(
    commands(text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')).flatMap((words) => {
      const assignments = (words[0] === 'export' ? words.slice(1) : words).map((word) => ASSIGNMENT.exec(word));
      // An assignment before a command applies only to that command: `NAME=Red Hat` runs Hat.
      if (assignments.includes(null)) return [];
      return assignments.map((assignment): [string, string] => [
        assignment?.[1] ?? '',
        unquoted(assignment?.[2] ?? ''),
      ]);
    }),
  );

// The file changes with an upgrade of the system only, and each tick asks.
let latest: { readonly text: string; readonly found: ReadonlyMap<string, string> } | undefined;

/** Reads the variables of os-release(5) like the shell, but without expansions, which that page forbids. */
export const osRelease = (text: string): ReadonlyMap<string, string> => {
  if (latest?.text !== text) latest = { text, found: variables(text) };
  return latest.found;
};
