import { NotUnderstood, refuse } from '../not-understood.ts';

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};
const ESCAPED: Readonly<Record<string, string>> = {
  w: '\\w',
  s: '\\s',
  S: '\\S',
  W: '\\W',
  b: '\\b',
  '<': '\\b',
  '>': '\\b',
};
const TABS: Readonly<Record<string, string>> = { t: '\\t', n: '\\n' };

/** `basic`: grep and sed without -E; `extended`: with it; `awk`: extended, with escapes in brackets. */
export type Dialect = 'basic' | 'extended' | 'awk';

const bracket = (inside: string, dialect: Dialect): string => {
  const negated = inside.startsWith('^');
  const body = inside
    .slice(negated ? 1 : 0)
    .replace(/\[:(\w+):\]|\[[.=:]|\\([^])|[\]\\[^]/g, (all, name: string | undefined, escaped: string | undefined) => {
      if (name !== undefined) return CLASSES[name] ?? refuse(`has the class [:${name}:]`);
      if (all.startsWith('[') && all.length > 1) return refuse('has brackets in a pattern that are not known');
      if (escaped === undefined) return `\\${all}`;
      if (dialect === 'awk') return TABS[escaped] ?? `\\${escaped}`;
      return `\\\\${/[\]\\^-]/.test(escaped) ? '\\' : ''}${escaped}`;
    });
  return `[${negated ? '^' : ''}${body}]`;
};

const TOKEN = /(\[\^?\]?(?:\[:\w+:\]|\\[^]|[^\]\\])*\])|\\([^])|([^])/g;

const translated = (source: string, dialect: Dialect): string => {
  const basic = dialect === 'basic';
  let text = '';
  for (const { 0: all, 1: inside, 2: escaped, 3: character = '', index } of source.matchAll(TOKEN)) {
    const start = text === '' || text.endsWith('(') || text.endsWith('|');
    if (inside !== undefined) text += bracket(inside.slice(1, -1), dialect);
    else if (escaped !== undefined) {
      if (/[(){}|+?]/.test(escaped)) text += basic ? escaped : `\\${escaped}`;
      else if (/[1-9]/.test(escaped)) text += `\\${escaped}`;
      else if (/\w/.test(escaped) || /[<>]/.test(escaped))
        text += ESCAPED[escaped] ?? TABS[escaped] ?? refuse(`has the pattern ${all}`);
      else text += `\\${escaped}`;
    } else if (basic && /[(){}|+?]/.test(character)) text += `\\${character}`;
    else if (basic && character === '*' && start) text += '\\*';
    else if (basic && character === '^' && !start) text += '\\^';
    else if (basic && character === '$' && !/^(?:$|\\[)|])/.test(source.slice(index + 1))) text += '\\$';
    else text += character === '/' ? '\\/' : character;
  }
  return text;
};

/** Translates a regular expression of POSIX (with the usual extensions of GNU) into one of JavaScript. */
export const posixPattern = (source: string, dialect: Dialect, flags = ''): RegExp => {
  try {
    return new RegExp(translated(source, dialect), flags);
  } catch (error) {
    throw error instanceof NotUnderstood ? error : new NotUnderstood(`has the pattern ${source}`);
  }
};
