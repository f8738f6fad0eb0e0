import { inputOf, linesOf } from './filters.ts';
import { refuse } from '../not-understood.ts';
import { posixPattern } from './posix-pattern.ts';
import type { Surroundings } from './tool.ts';

interface Command {
  readonly applies: (line: string, number: number, last: boolean) => boolean;
  readonly kind: 's' | 'p' | 'd' | 'q';
  readonly pattern?: RegExp;
  readonly replacement?: string;
  readonly print?: boolean;
}

const COMMAND =
  /[\s;]*(?:(\d+|\$)|\/((?:[^\\/]|\\[^])*)\/)?\s*(!?)\s*(?:([pdq])|s([^\w\s\\])((?:(?!\5)[^\\]|\\[^])*)\5((?:(?!\5)[^\\]|\\[^])*)\5([gpI]*))[ \t]*(?=[;\n]|$)/y;

const commandsOf = (script: string, extended: boolean): readonly Command[] => {
  const commands: Command[] = [];
  const dialect = extended ? 'extended' : 'basic';
  const text = script.replace(/[\s;]+$/, '');
  COMMAND.lastIndex = 0;
  while (COMMAND.lastIndex < text.length) {
    const found = COMMAND.exec(text);
    if (found === null) return refuse(`has the script ${text} of sed`);
    const [, line, address, not, plain, delimiter = '', source = '', replacement = '', flags = ''] = found;
    const where = address === undefined ? undefined : posixPattern(address, dialect);
    const applies: Command['applies'] = (each, number, last) => {
      const matches = line === undefined ? (where?.test(each) ?? true) : line === '$' ? last : number === Number(line);
      return matches !== (not === '!');
    };
    if (plain !== undefined) commands.push({ applies, kind: plain as Command['kind'] });
    else {
      const written = delimiter === '/' ? source : source.replaceAll(`\\${delimiter}`, delimiter);
      const pattern = posixPattern(
        written,
        dialect,
        `${flags.includes('g') ? 'g' : ''}${flags.includes('I') ? 'i' : ''}`,
      );
      if (/\\[A-Za-z]/.test(replacement)) refuse(`has the script ${text} of sed`);
      commands.push({ applies, kind: 's', pattern, replacement, print: flags.includes('p') });
    }
  }
  return commands;
};

const replaced = (replacement: string, groups: readonly (string | undefined)[]): string =>
  replacement.replace(/\\(\d)|\\([^])|&/g, (_all, group: string | undefined, escaped: string | undefined) =>
    group === undefined ? (escaped ?? groups[0] ?? '') : (groups[Number(group)] ?? ''),
  );

/** sed with the commands s, p, d and q, each perhaps for the lines of a number or a pattern. */
export const sed = (args: readonly string[], input: string, around: Surroundings): string => {
  const words = [...args];
  const scripts: string[] = [];
  let quiet = false;
  let extended = false;
  while (words[0]?.startsWith('-') === true) {
    const option = words.shift() ?? '';
    if (option === '-e') scripts.push(words.shift() ?? '');
    else if (/^-[nEr]+$/.test(option)) {
      quiet ||= option.includes('n');
      extended ||= /[Er]/.test(option);
    } else if (option === '-ne') {
      quiet = true;
      scripts.push(words.shift() ?? '');
    } else refuse(`has the option ${option} of sed`);
  }
  if (scripts.length === 0) scripts.push(words.shift() ?? refuse('has no script of sed'));
  const commands = commandsOf(scripts.join('\n'), extended);
  const lines = linesOf(inputOf(words, input, around));
  let output = '';
  for (const [index, original] of lines.entries()) {
    let line = original;
    let keep = !quiet;
    let quit = false;
    for (const { applies, kind, pattern, replacement = '', print = false } of commands) {
      if (!applies(line, index + 1, index === lines.length - 1)) continue;
      if (kind === 'p') output += `${line}\n`;
      else if (kind === 'd') keep = false;
      else if (kind === 'q') quit = true;
      else if (pattern !== undefined) {
        let changed = false;
        line = line.replace(pattern, (...found) => {
          changed = true;
          const groups = found.slice(
            0,
            found.findIndex((part) => typeof part === 'number'),
          );
          return replaced(replacement, groups as readonly (string | undefined)[]);
        });
        if (changed && print) output += `${line}\n`;
      }
      if (kind === 'd' || quit) break;
    }
    if (keep) output += `${line}\n`;
    if (quit) break;
  }
  return output;
};
