import { formatted } from '../commands/printf.ts';
import { refuse } from '../not-understood.ts';
import { Cursor } from './cursor.ts';
import { Expressions } from './expressions.ts';
import { constant, type Expression, type Function, type Program, type Statement } from './program.ts';
import { isTrue, toText } from './values.ts';

const none: Statement = () => undefined;

/** Compiles the part of awk that pipelines of metrics use; refuses all else. */
class Parser {
  readonly #cursor: Cursor;
  readonly #functions = new Map<string, Function>();
  readonly #expressions: Expressions;

  constructor(program: string) {
    this.#cursor = new Cursor(program);
    this.#expressions = new Expressions(this.#cursor, this.#functions);
  }

  program(): Program {
    const program: {
      begin: Statement[];
      main: { pattern: Expression | undefined; body: Statement }[];
      end: Statement[];
    } = { begin: [], main: [], end: [] };
    for (this.#cursor.skipEnds(); this.#cursor.token.kind !== 'end'; this.#cursor.skipEnds()) {
      if (this.#cursor.take('function') !== undefined) this.#function();
      else if (this.#cursor.take('BEGIN') !== undefined) program.begin.push(this.#block());
      else if (this.#cursor.take('END') !== undefined) program.end.push(this.#block());
      else {
        const pattern = this.#cursor.is('{') ? undefined : this.#expressions.next();
        if (this.#cursor.is(',')) refuse('has a range of lines in awk');
        const print: Statement = (machine) => {
          machine.output += `${toText(machine.field(0))}\n`;
          return undefined;
        };
        program.main.push({ pattern, body: this.#cursor.is('{') ? this.#block() : print });
      }
    }
    return program;
  }

  #function(): void {
    const { text: name } = this.#cursor.token;
    this.#cursor.at++;
    this.#cursor.need('(');
    const parameters: string[] = [];
    for (; !this.#cursor.is(')'); this.#cursor.take(',')) {
      this.#cursor.skipLines();
      if (this.#cursor.token.kind !== 'name') refuse('has a function of awk that is not known');
      parameters.push(this.#cursor.token.text);
      this.#cursor.at++;
    }
    this.#cursor.need(')');
    this.#cursor.skipLines();
    this.#cursor.skipLines();
    this.#expressions.locals = new Set(parameters);
    this.#functions.set(name, { parameters, body: this.#block() });
    this.#expressions.locals = new Set();
  }

  #block(): Statement {
    this.#cursor.need('{');
    const statements: Statement[] = [];
    for (this.#cursor.skipEnds(); !this.#cursor.is('}'); this.#cursor.skipEnds()) statements.push(this.#statement());
    this.#cursor.need('}');
    return (machine, locals) => {
      for (const statement of statements) {
        const flow = statement(machine, locals);
        if (flow !== undefined) return flow;
      }
      return undefined;
    };
  }

  #body(): Statement {
    this.#cursor.skipLines();
    if (this.#cursor.take(';') !== undefined) return none;
    return this.#cursor.is('{') ? this.#block() : this.#statement();
  }

  #statement(): Statement {
    if (this.#cursor.is('{')) return this.#block();
    if (this.#cursor.is('if', 'while')) return this.#simple();
    const statement = this.#simple();
    return this.#cursor.isEnd()
      ? statement
      : refuse(`has an unexpected ${JSON.stringify(this.#cursor.token.text)} in awk`);
  }

  #simple(): Statement {
    const word = this.#cursor.take('if', 'while', 'break', 'continue', 'next', 'exit', 'return', 'print', 'printf');
    switch (word) {
      case 'if':
        return this.#if();
      case 'while':
        return this.#while();
      case 'break':
      case 'continue':
      case 'next':
        return () => word;
      case 'exit':
        return this.#cursor.isEnd() ? () => 'exit' : refuse('has an exit status in awk');
      case 'return': {
        const value = this.#cursor.isEnd() ? constant(undefined) : this.#expressions.next();
        return (machine, locals) => ({ returned: value.value(machine, locals) });
      }
      case 'print':
      case 'printf':
        return this.#print(word);
      default: {
        if (this.#cursor.token.kind === 'keyword' && !this.#cursor.is('getline'))
          refuse(`has "${this.#cursor.token.text}" in awk`);
        const expression = this.#expressions.next();
        return (machine, locals) => {
          machine.step();
          expression.value(machine, locals);
          return undefined;
        };
      }
    }
  }

  #condition(): Expression {
    this.#cursor.need('(');
    const condition = this.#expressions.next();
    this.#cursor.need(')');
    return condition;
  }

  #if(): Statement {
    const condition = this.#condition();
    const then = this.#body();
    const before = this.#cursor.at;
    this.#cursor.skipEnds();
    const otherwise = this.#cursor.take('else') === undefined ? undefined : this.#body();
    if (otherwise === undefined) this.#cursor.at = before;
    return (machine, locals) =>
      isTrue(condition.value(machine, locals)) ? then(machine, locals) : otherwise?.(machine, locals);
  }

  #while(): Statement {
    const condition = this.#condition();
    const body = this.#body();
    return (machine, locals) => {
      while (isTrue(condition.value(machine, locals))) {
        machine.step();
        const flow = body(machine, locals);
        if (flow === 'break') break;
        if (flow !== undefined && flow !== 'continue') return flow;
      }
      return undefined;
    };
  }

  #print(word: 'print' | 'printf'): Statement {
    const values = this.#printed();
    if (this.#cursor.is('>', '|')) refuse('writes to a file or program in awk');
    if (word === 'printf' && values.length === 0) refuse('has a printf without a format in awk');
    return (machine, locals) => {
      machine.step();
      const [first, ...rest] = values.map((each) => each.value(machine, locals));
      if (word === 'printf') machine.output += formatted(toText(first), rest);
      else {
        const printed = values.length === 0 ? [machine.field(0)] : [first, ...rest];
        machine.output += printed.map(toText).join(toText(machine.get('OFS'))) + toText(machine.get('ORS'));
      }
      return undefined;
    };
  }

  /** Values of print: perhaps in parentheses, which may also be only around the first one. */
  #printed(): readonly Expression[] {
    if (this.#cursor.isEnd()) return [];
    const start = this.#cursor.at;
    if (this.#cursor.take('(') !== undefined) {
      const values = this.#expressions.list();
      if (this.#cursor.take(')') !== undefined && (this.#cursor.isEnd() || this.#cursor.is('>', '|'))) return values;
      this.#cursor.at = start;
    }
    this.#expressions.printing = true;
    const values = this.#expressions.list();
    this.#expressions.printing = false;
    return values;
  }
}

/** @throws NotUnderstood for what this part of awk lacks. */
export const parseAwk = (program: string): Program => new Parser(program).program();
