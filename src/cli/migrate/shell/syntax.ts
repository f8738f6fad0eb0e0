/** A piece of a word. `quoted`: stands in double quotes, so it is not split at white space. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | { readonly kind: 'variable'; readonly name: string; readonly otherwise?: Word; readonly quoted: boolean }
  | { readonly kind: 'command'; readonly list: List; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly word: Word; readonly quoted: boolean };
/** A word of a command, as its pieces. */
export type Word = readonly Piece[];

/** A redirection of a descriptor to a file or to another descriptor. */
export interface Redirection {
  readonly descriptor: number;
  readonly operator: '<' | '>' | '>&';
  readonly target: Word;
}
/** A command of a pipeline: a program with its words, or a list in braces or parentheses. */
export type Command =
  | {
      readonly kind: 'simple';
      readonly assignments: readonly { readonly name: string; readonly value: Word }[];
      readonly words: readonly Word[];
      readonly redirections: readonly Redirection[];
    }
  | { readonly kind: 'group'; readonly list: List; readonly subshell: boolean };
/** Pipelines with the operator in front of each. */
export type List = readonly { readonly after: ';' | '&&' | '||'; readonly pipeline: readonly Command[] }[];
