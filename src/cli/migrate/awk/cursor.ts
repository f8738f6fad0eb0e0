import { refuse } from '../not-understood.ts';
import { type Token, tokensOf } from './lexer.ts';

/** A place among the tokens of a program. */
export class Cursor {
  /** Index of the next token. */
  at = 0;
  readonly #tokens: readonly Token[];

  constructor(program: string) {
    this.#tokens = tokensOf(program);
  }

  get token(): Token {
    return this.#tokens[this.at] ?? refuse('has a program of awk that is not finished');
  }

  get following(): Token | undefined {
    return this.#tokens[this.at + 1];
  }

  is(...texts: readonly string[]): boolean {
    const { kind, text } = this.token;
    return (kind === 'operator' || kind === 'keyword') && texts.includes(text);
  }

  take(...texts: readonly string[]): string | undefined {
    if (!this.is(...texts)) return undefined;
    const { text } = this.token;
    this.at++;
    return text;
  }

  need(text: string): void {
    if (this.take(text) === undefined) refuse(`has an unexpected ${JSON.stringify(this.token.text)} in awk`);
  }

  skipLines(): void {
    while (this.token.kind === 'newline') this.at++;
  }

  skipEnds(): void {
    while (this.token.kind === 'newline' || this.is(';')) this.at++;
  }

  /** True at the end of a statement. */
  isEnd(): boolean {
    return this.token.kind === 'newline' || this.token.kind === 'end' || this.is(';', '}');
  }
}
