import { refuse } from '../not-understood.ts';
import type { Machine } from './machine.ts';
import type { Value } from './values.ts';

/** Local variables of a function of the program. */
export type Locals = Map<string, Value>;

/** A compiled expression. */
export interface Expression {
  readonly value: (machine: Machine, locals: Locals) => Value;
  readonly set?: (machine: Machine, locals: Locals, value: Value) => void;
  /** True for what belongs to the shape of the input (NR, NF, getline), not to its values. */
  readonly shape?: boolean;
}

/** How a statement ended: as usual (undefined), or by leaving a loop, a record, a function or the program. */
export type Flow = undefined | 'break' | 'continue' | 'next' | 'exit' | { readonly returned: Value };
export type Statement = (machine: Machine, locals: Locals) => Flow;

export interface Function {
  readonly parameters: readonly string[];
  readonly body: Statement;
}

export interface Program {
  readonly begin: readonly Statement[];
  readonly main: readonly { readonly pattern: Expression | undefined; readonly body: Statement }[];
  readonly end: readonly Statement[];
}

export const constant = (value: Value): Expression => ({ value: () => value });
export const bool = (value: boolean): number => (value ? 1 : 0);

export const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0 ? refuse('divides by zero') : a / b),
  '%': (a, b) => (b === 0 ? refuse('divides by zero') : a % b),
  '^': (a, b) => a ** b,
};

/** By the order of two values: negative, 0 or positive. */
export const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};
