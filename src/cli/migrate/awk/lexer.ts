import { unescaped } from '../commands/printf.ts';
import { refuse } from '../not-understood.ts';

export interface Token {
  readonly kind:
    | 'number'
    | 'string'
    | 'regex'
    | 'name'
    | 'call'
    | 'keyword'
    | 'function'
    | 'operator'
    | 'newline'
    | 'end';
  readonly text: string;
}

const KEYWORDS: ReadonlySet<string> = new Set(
  'BEGIN END break continue delete do else exit for function getline if in next nextfile print printf return while'.split(
    ' ',
  ),
);
export const FUNCTIONS: ReadonlySet<string> = new Set(
  'close index int length sprintf sub gsub substr tolower toupper'.split(' '),
);
const UNKNOWN: ReadonlySet<string> = new Set(
  'atan2 cos exp fflush gensub log match rand sin split sqrt srand strftime system systime toascii'.split(' '),
);
const PATTERNS = [
  ['blank', /(?:[ \t\r]|\\\r?\n|#.*)+/y],
  ['newline', /\n/y],
  ['number', /(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y],
  ['string', /"(?:[^"\\\n]|\\[^])*"/y],
  ['name', /[A-Za-z_]\w*/y],
  ['operator', /&&|\|\||\+\+|--|\*\*|[-+*/%^=!<>]=|!~|[-+*/%^!<>|?:~$=(){}[\],;]/y],
] as const;
const REGEX = /\/((?:[^/\\\n[]|\\[^]|\[\^?\]?(?:\[:\w+:\]|[^\]\n])*\])+)\//y;

// Behind these, a slash divides.
const isOperand = (token: Token | undefined): boolean =>
  token !== undefined && (/^(?:number|string|name)$/.test(token.kind) || /^(?:\)|\]|\$|\+\+|--)$/.test(token.text));

/** Splits a program of awk into tokens. */
export const tokensOf = (program: string): readonly Token[] => {
  const tokens: Token[] = [];
  let at = 0;
  while (at < program.length) {
    REGEX.lastIndex = at;
    const regex = program[at] === '/' && !isOperand(tokens.at(-1)) ? REGEX.exec(program) : null;
    if (regex !== null) {
      tokens.push({ kind: 'regex', text: regex[1] ?? '' });
      at += regex[0].length;
      continue;
    }
    let length = 0;
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at;
      const text = pattern.exec(program)?.[0];
      if (text === undefined) continue;
      length = text.length;
      if (kind === 'string') tokens.push({ kind, text: unescaped(text.slice(1, -1)) });
      else if (kind === 'name') {
        if (UNKNOWN.has(text)) refuse(`has the function ${text} of awk`);
        const named = KEYWORDS.has(text)
          ? 'keyword'
          : FUNCTIONS.has(text)
            ? 'function'
            : program[at + length] === '('
              ? 'call'
              : 'name';
        tokens.push({ kind: named, text });
      } else if (kind !== 'blank') tokens.push({ kind, text });
      break;
    }
    if (length === 0) refuse(`has an unexpected ${JSON.stringify(program[at])} in awk`);
    at += length;
  }
  return [...tokens, { kind: 'end', text: '' }];
};
