import { refuse } from '../not-understood.ts';
import type { Command, List, Piece, Redirection, Word } from './syntax.ts';

const RESERVED: ReadonlySet<string> = new Set(
  '! case do done elif else esac fi for function if in select then time until while'.split(' '),
);
const NAME = /[A-Za-z_]\w*/y;
const OPERATOR_START = /[\s;&|()<>]/;
const LITERAL_DOLLAR = /[\s"'|;&)/=]/;

/** Parses the part of the shell's language that pipelines of metrics use; refuses all else. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): List {
    const list = this.#list();
    if (this.#at < this.#text.length) refuse(`has an unexpected ${JSON.stringify(this.#text[this.#at])}`);
    return list;
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #blanks(newlines = false): void {
    this.#match(newlines ? /(?:\s|\\\n|(?<=^|\s)#.*)*/y : /(?:[ \t]|\\\n|(?<=^|[\s;])#.*)*/y);
  }

  #list(): List {
    const list: { after: ';' | '&&' | '||'; pipeline: readonly Command[] }[] = [];
    let after: ';' | '&&' | '||' | undefined = ';';
    while (after !== undefined) {
      this.#blanks(true);
      if (after === ';' && (this.#at >= this.#text.length || this.#peek(')') || this.#peek('}'))) break;
      list.push({ after, pipeline: this.#pipeline() });
      this.#blanks();
      after = this.#separator();
    }
    return list;
  }

  #separator(): ';' | '&&' | '||' | undefined {
    if (this.#take('&&')) return '&&';
    if (this.#take('||')) return '||';
    return this.#take(';') || this.#take('\n') ? ';' : undefined;
  }

  #pipeline(): readonly Command[] {
    const commands = [this.#command()];
    for (;;) {
      this.#blanks();
      if (this.#peek('||') || !this.#take('|')) return commands;
      this.#blanks(true);
      commands.push(this.#command());
    }
  }

  #command(): Command {
    if (this.#take('(')) return { kind: 'group', list: this.#until(')'), subshell: true };
    if (this.#match(/\{(?=\s)/y) !== undefined) return { kind: 'group', list: this.#until('}'), subshell: false };
    const assignments: { name: string; value: Word }[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      this.#blanks();
      const redirection = this.#match(/\d?(?:>&|<|>)(?![<>&(|])/y);
      if (redirection !== undefined) {
        const operator = redirection.replace(/^\d/, '') as Redirection['operator'];
        const descriptor = /^\d/.test(redirection) ? Number(redirection[0]) : operator === '<' ? 0 : 1;
        this.#blanks();
        redirections.push({ descriptor, operator, target: this.#word() ?? refuse('has a redirection to nothing') });
        continue;
      }
      const name = words.length === 0 ? this.#match(/[A-Za-z_]\w*=/y) : undefined;
      const word = this.#word();
      if (name !== undefined) assignments.push({ name: name.slice(0, -1), value: word ?? [] });
      else if (word === undefined) break;
      else words.push(word);
    }
    const [first] = words[0] ?? [];
    if (first?.kind === 'text' && !first.quoted && RESERVED.has(first.text))
      refuse(`has the shell's word "${first.text}"`);
    if (words.length + assignments.length === 0)
      refuse(`has an unexpected ${JSON.stringify(this.#text[this.#at] ?? 'end')}`);
    if (this.#peek('(')) refuse('defines a shell function');
    if (this.#match(/&(?!&)|<<|>>|[<>]\(|>\|/y) !== undefined) refuse('runs in the background or writes to a file');
    return { kind: 'simple', assignments, words, redirections };
  }

  #until(end: string): List {
    const list = this.#list();
    if (!this.#take(end)) refuse(`lacks a "${end}"`);
    return list;
  }

  #word(): Word | undefined {
    const pieces: Piece[] = [];
    let seen = false;
    for (; this.#at < this.#text.length; seen = true) {
      const character = this.#text[this.#at] ?? '';
      if (OPERATOR_START.test(character)) break;
      if (character === "'") {
        const end = this.#text.indexOf("'", this.#at + 1);
        if (end < 0) refuse('has a quote without an end');
        pieces.push({ kind: 'text', text: this.#text.slice(this.#at + 1, end), quoted: true });
        this.#at = end + 1;
      } else if (this.#take('"')) pieces.push(...this.#quoted(() => this.#take('"')));
      else if (this.#take('\\\n')) continue;
      else if (this.#take('\\'))
        pieces.push({ kind: 'text', text: this.#text[this.#at++] ?? refuse('ends with a backslash'), quoted: true });
      else pieces.push(this.#expansion(false) ?? this.#plain());
    }
    return seen ? pieces : undefined;
  }

  #plain(): Piece {
    const text = this.#match(/[^\s;&|()<>'"\\$`]+/y) ?? this.#text[this.#at++] ?? '';
    if (/[*?~]/.test(text)) refuse('has a pattern of file names');
    return { kind: 'text', text, quoted: false };
  }

  /** Pieces up to where `ends` takes the end: the inside of double quotes, or of `$((`. */
  #quoted(ends: () => boolean): Word {
    const pieces: Piece[] = [{ kind: 'text', text: '', quoted: true }];
    while (!ends()) {
      if (this.#at >= this.#text.length) refuse('has a quote without an end');
      if (this.#take('\\\n')) continue;
      const escaped = this.#match(/\\[$`"\\]/y);
      const piece: Piece =
        escaped === undefined
          ? (this.#expansion(true) ?? { kind: 'text', text: this.#text[this.#at++] ?? '', quoted: true })
          : { kind: 'text', text: escaped.slice(1), quoted: true };
      const last = pieces.at(-1);
      if (piece.kind === 'text' && last?.kind === 'text')
        pieces[pieces.length - 1] = { ...last, text: last.text + piece.text };
      else pieces.push(piece);
    }
    return pieces;
  }

  #expansion(quoted: boolean): Piece | undefined {
    if (this.#take('`')) {
      const inner = this.#match(/(?:[^`\\]|\\[^])*/y) ?? '';
      if (!this.#take('`')) refuse('has a quote without an end');
      return {
        kind: 'command',
        list: new Parser(inner.replace(quoted ? /\\([`$\\"])/g : /\\([`$\\])/g, '$1')).all(),
        quoted,
      };
    }
    if (!this.#peek('$')) return undefined;
    const next = this.#text[++this.#at] ?? ' ';
    if (this.#take('((')) {
      let depth = 0;
      const word = this.#quoted(() => {
        if (depth === 0 && this.#take('))')) return true;
        depth += this.#peek('(') ? 1 : this.#peek(')') ? -1 : 0;
        return false;
      });
      return { kind: 'arithmetic', word, quoted };
    }
    if (this.#take('(')) return { kind: 'command', list: this.#until(')'), quoted };
    if (this.#take('{')) {
      const name = this.#match(NAME) ?? refuse('has a shell expansion that is not known');
      const otherwise = this.#take(':-') ? this.#quoted(() => this.#take('}')) : undefined;
      if (otherwise === undefined && !this.#take('}')) refuse('has a shell expansion that is not known');
      return { kind: 'variable', name, quoted, ...(otherwise === undefined ? {} : { otherwise }) };
    }
    const name = this.#match(NAME);
    if (name !== undefined) return { kind: 'variable', name, quoted };
    return LITERAL_DOLLAR.test(next)
      ? { kind: 'text', text: '$', quoted: true }
      : refuse(`has the shell's variable $${next}`);
  }
}

/** @throws NotUnderstood for any other construct of the shell than those above. */
export const parseShell = (text: string): List => new Parser(text).all();
