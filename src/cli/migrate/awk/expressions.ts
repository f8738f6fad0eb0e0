import { refuse } from '../not-understood.ts';
import { posixPattern } from '../commands/posix-pattern.ts';
import type { Cursor } from './cursor.ts';
import { call } from './functions.ts';
import type { Machine } from './machine.ts';
import { assignment, comparison, counting, field, nextLine, ownCall, parameter, variable } from './meanings.ts';
import { ARITHMETIC, bool, COMPARISONS, constant, type Expression, type Function, type Locals } from './program.ts';
import { isTrue, toNumber, toText } from './values.ts';

/** Compiles expressions, by the precedence of their operators. */
export class Expressions {
  /** True behind print, where `>` writes to a file. */
  printing = false;
  /** Names of the parameters of the function that is being compiled. */
  locals: ReadonlySet<string> = new Set();
  readonly #cursor: Cursor;
  readonly #functions: ReadonlyMap<string, Function>;

  constructor(cursor: Cursor, functions: ReadonlyMap<string, Function>) {
    this.#cursor = cursor;
    this.#functions = functions;
  }

  /** Expressions between commas. */
  list(): readonly Expression[] {
    const values = [this.next()];
    while (this.#cursor.take(',') !== undefined) {
      this.#cursor.skipLines();
      values.push(this.next());
    }
    return values;
  }

  next(): Expression {
    const target = this.#ternary();
    const operator = this.#cursor.take('=', '+=', '-=', '*=', '/=', '%=', '^=');
    if (operator === undefined) return target;
    return assignment(target, operator, this.next());
  }

  #ternary(): Expression {
    const condition = this.#or();
    if (this.#cursor.take('?') === undefined) return condition;
    const then = this.#ternary();
    this.#cursor.need(':');
    const otherwise = this.#ternary();
    return {
      value: (machine, locals) => (isTrue(condition.value(machine, locals)) ? then : otherwise).value(machine, locals),
    };
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#cursor.take('||') !== undefined) {
      this.#cursor.skipLines();
      const [a, b] = [left, this.#and()];
      left = { value: (...run) => bool(isTrue(a.value(...run)) || isTrue(b.value(...run))) };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#matching();
    while (this.#cursor.take('&&') !== undefined) {
      this.#cursor.skipLines();
      const [a, b] = [left, this.#matching()];
      left = { value: (...run) => bool(isTrue(a.value(...run)) && isTrue(b.value(...run))) };
    }
    return left;
  }

  #matching(): Expression {
    let left = this.#comparison();
    for (let operator = this.#cursor.take('~', '!~'); operator !== undefined; operator = this.#cursor.take('~', '!~')) {
      const [a, wanted] = [left, operator === '~'];
      const pattern = this.#pattern();
      left = { value: (...run) => bool(pattern(...run).test(toText(a.value(...run))) === wanted) };
    }
    return left;
  }

  /** A regular expression: between slashes, or the text of any expression. */
  #pattern(): (machine: Machine, locals: Locals) => RegExp {
    const { kind, text } = this.#cursor.token;
    if (kind === 'regex') {
      this.#cursor.at++;
      const pattern = posixPattern(text, 'awk');
      return () => pattern;
    }
    const source = this.#concatenation();
    return (...run) => posixPattern(toText(source.value(...run)), 'awk');
  }

  #comparison(): Expression {
    const left = this.#concatenation();
    if (this.printing && this.#cursor.is('>')) return left;
    const operator = this.#cursor.take(...Object.keys(COMPARISONS));
    return operator === undefined ? left : comparison(left, operator, this.#concatenation());
  }

  #startsOperand(): boolean {
    const { kind } = this.#cursor.token;
    if (kind === 'number' || kind === 'string' || kind === 'name' || kind === 'call' || kind === 'function')
      return true;
    return this.#cursor.is('(', '$', '++', '--');
  }

  #concatenation(): Expression {
    let left = this.#sum();
    for (let parts = 1; ; parts++) {
      if (this.#cursor.is('|') && this.#cursor.following?.text === 'getline') {
        if (parts > 1) return refuse('joins texts before a getline in awk, which each awk reads otherwise');
        this.#cursor.at += 2;
        left = this.#getline('command', left);
      } else if (this.#startsOperand()) {
        const [a, b] = [left, this.#sum()];
        left = { value: (...run) => toText(a.value(...run)) + toText(b.value(...run)) };
      } else return left;
    }
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    for (
      let operator = this.#cursor.take(...operators);
      operator !== undefined;
      operator = this.#cursor.take(...operators)
    ) {
      const compute =
        ARITHMETIC[operator === '**' ? '^' : operator] ?? refuse('has an operator of awk that is not known');
      const [a, b] = [left, operand()];
      left = { value: (...run) => compute(toNumber(a.value(...run)), toNumber(b.value(...run))) };
    }
    return left;
  }

  #sum(): Expression {
    return this.#binary(['+', '-'], () => this.#binary(['*', '/', '%'], () => this.#unary()));
  }

  #unary(): Expression {
    const operator = this.#cursor.take('!', '-', '+');
    if (operator === undefined) return this.#power();
    const operand = this.#unary();
    if (operator === '!') return { value: (...run) => bool(!isTrue(operand.value(...run))) };
    return { value: (...run) => (operator === '-' ? -1 : 1) * toNumber(operand.value(...run)) };
  }

  #power(): Expression {
    const base = this.#postfix();
    if (this.#cursor.take('^', '**') === undefined) return base;
    const exponent = this.#unary();
    return { value: (...run) => toNumber(base.value(...run)) ** toNumber(exponent.value(...run)) };
  }

  #postfix(): Expression {
    const before = this.#cursor.take('++', '--');
    const target = this.#primary();
    const after = before === undefined ? this.#cursor.take('++', '--') : undefined;
    const operator = before ?? after;
    return operator === undefined ? target : counting(target, operator, before !== undefined);
  }

  #primary(): Expression {
    const { kind, text } = this.#cursor.token;
    if (this.#cursor.take('$') !== undefined) {
      const index = this.#cursor.is('++', '--', '-', '!') ? refuse('computes a field in awk') : this.#primary();
      return field(index);
    }
    if (this.#cursor.take('getline') !== undefined) return this.#getline('file');
    if (this.#cursor.take('(') !== undefined) {
      const printing = this.printing;
      this.printing = false;
      const inner = this.next();
      if (this.#cursor.is(',')) refuse('has a list in parentheses in awk');
      this.#cursor.need(')');
      this.printing = printing;
      return { value: inner.value, ...(inner.shape === true ? { shape: true } : {}) };
    }
    this.#cursor.at++;
    switch (kind) {
      case 'number':
        return constant(Number(text));
      case 'string':
        return constant(text);
      case 'regex': {
        const pattern = posixPattern(text, 'awk');
        return { value: (machine) => bool(pattern.test(toText(machine.field(0)))) };
      }
      case 'name':
        return this.#variable(text);
      case 'call':
      case 'function':
        return this.#call(kind, text);
      default:
        return refuse(text === '' ? 'has a program of awk that is not finished' : `has "${text}" in awk`);
    }
  }

  #variable(name: string): Expression {
    if (this.#cursor.is('[')) return refuse('has an array in awk');
    return this.locals.has(name) ? parameter(name) : variable(name);
  }

  #call(kind: 'call' | 'function', name: string): Expression {
    if (name === 'length' && !this.#cursor.is('(')) return { value: (machine) => toText(machine.field(0)).length };
    this.#cursor.need('(');
    const printing = this.printing;
    this.printing = false;
    const isPattern = /^g?sub$/.test(name);
    const pattern = isPattern ? this.#pattern() : undefined;
    if (isPattern) this.#cursor.need(',');
    const args = this.#cursor.is(')') ? [] : this.list();
    this.#cursor.need(')');
    this.printing = printing;
    return kind === 'function' ? call(name, args, pattern) : ownCall(this.#functions, name, args);
  }

  /** `command | getline`, `getline < file`, each with or without a variable. */
  #getline(kind: 'command' | 'file', command?: Expression): Expression {
    const target = this.#cursor.token.kind === 'name' || this.#cursor.is('$') ? this.#primary() : undefined;
    const source = command ?? (this.#cursor.take('<') === undefined ? undefined : this.#primary());
    if (source === undefined) return refuse('has a getline of awk that is not known');
    return nextLine(kind, source, target);
  }
}
