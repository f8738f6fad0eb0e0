import type { SampleHost } from '../sample-host.ts';
import { NotUnderstood, refuse, ShellError } from '../not-understood.ts';
import { parseShell } from './parser.ts';
import type { Command, List, Word } from './syntax.ts';
import { integer } from './arithmetic.ts';
import { formatted } from '../commands/printf.ts';
import type { Ended, Surroundings } from '../commands/tool.ts';
import { toolNamed } from '../commands/tools.ts';

const FOLDER = /^(?:\/usr)?\/s?bin\//;
const C_LOCALE = /^(?:C|POSIX|C\.UTF-8|en_US\.UTF-8)$/;
// Variables that change what other commands do.
const SPECIAL = /^(?:PATH|IFS|HOME|ENV|LANG|LC_\w+|LIBVIRT_\w+|VIRSH_\w+|POSIXLY_CORRECT|VHOSTMD_\w+)$/;

class Shell {
  readonly #around: Surroundings;
  readonly #variables: Map<string, string>;

  constructor(around: Surroundings, variables: ReadonlyMap<string, string>) {
    this.#around = around;
    this.#variables = new Map(variables);
  }

  list(list: List, input: string): Ended {
    let output = '';
    let status = 0;
    for (const { after, pipeline } of list) {
      if ((after === '&&' && status !== 0) || (after === '||' && status === 0)) continue;
      const ended = this.#pipeline(pipeline, input);
      output += ended.output;
      ({ status } = ended);
    }
    return { output, status };
  }

  #pipeline(commands: readonly Command[], input: string): Ended {
    const [only] = commands;
    if (only !== undefined && commands.length === 1) return this.#command(only, input);
    return commands.reduce<Ended>(
      (before, command) => new Shell(this.#around, this.#variables).#command(command, before.output),
      { output: input, status: 0 },
    );
  }

  #command(command: Command, input: string): Ended {
    if (command.kind === 'group')
      return (command.subshell ? new Shell(this.#around, this.#variables) : this).list(command.list, input);
    const words = command.words.flatMap((word) => this.#fields(word));
    const [name, ...args] = words;
    for (const { name: variable, value } of command.assignments) {
      const text = this.#text(value);
      if (SPECIAL.test(variable) && !(/^(?:LANG|LC_)/.test(variable) && C_LOCALE.test(text)))
        refuse(`sets the variable ${variable}`);
      if (name !== undefined && !SPECIAL.test(variable)) refuse(`sets the variable ${variable} for a command`);
      if (name === undefined) this.#variables.set(variable, text);
    }
    if (name === undefined) return { output: '', status: 0 };
    let stdin = input;
    let silent = false;
    for (const { descriptor, operator, target } of command.redirections) {
      const file = this.#text(target);
      if (operator === '<' && descriptor === 0) stdin = this.#around.host.file(file);
      else if (operator === '>' && descriptor === 1 && file === '/dev/null') silent = true;
      else if (!(descriptor === 2 && (file === '/dev/null' || (operator === '>&' && file === '1'))))
        refuse(`has a redirection to ${file}`);
    }
    const ended = this.#run(name, args, stdin);
    return silent ? { ...ended, output: '' } : ended;
  }

  #run(name: string, args: readonly string[], input: string): Ended {
    const done = (output: string, status = 0): Ended => ({ output, status });
    switch (name) {
      case 'echo':
        if (/\\/.test(args.join(''))) refuse('has a backslash in echo, which each shell treats otherwise');
        return args[0] === '-n' ? done(args.slice(1).join(' ')) : done(`${args.join(' ')}\n`);
      case 'printf':
        return done(formatted(args[0] ?? '', args.slice(1), true));
      case 'true':
      case ':':
        return done('');
      case 'false':
        return done('', 1);
      case '[':
      case 'test':
        return done('', this.#test(name === '[' ? args.slice(0, -1) : args));
      case '.':
        if (args[0] !== '/etc/os-release') refuse(`reads ${args[0] ?? 'nothing'} as shell text`);
        for (const [variable, value] of this.#around.host.osRelease) this.#variables.set(variable, value);
        return done('');
      default:
        return toolNamed(name.replace(FOLDER, ''))(args, input, this.#around);
    }
  }

  #test(args: readonly string[]): number {
    const [operator = '', file = '', ...more] = args;
    if (!/^-[efr]$/.test(operator) || more.length > 0) refuse(`tests ${args.join(' ')}`);
    return this.#around.host.exists(file) ? 0 : 1;
  }

  /** Expands a word to fields: quoted text stays whole, the rest is split at white space. */
  #fields(word: Word): readonly string[] {
    const fields: string[] = [];
    let open = false;
    const add = (text: string): void => {
      if (open) fields[fields.length - 1] += text;
      else fields.push(text);
      open = true;
    };
    for (const piece of word) {
      const text = this.#text([piece]);
      if (piece.quoted || piece.kind === 'text') {
        add(text);
        continue;
      }
      const parts = text.split(/[ \t\n]+/);
      parts.forEach((part, index) => {
        if (index > 0) open = false;
        if (part !== '') add(part);
      });
    }
    return fields;
  }

  #text(word: Word): string {
    return word
      .map((piece) => {
        switch (piece.kind) {
          case 'text':
            return piece.text;
          case 'variable': {
            const value = this.#variables.get(piece.name) ?? this.#around.host.environment.get(piece.name) ?? '';
            return value === '' && piece.otherwise !== undefined ? this.#text(piece.otherwise) : value;
          }
          case 'command':
            return new Shell(this.#around, this.#variables).list(piece.list, '').output.replace(/\n+$/, '');
          case 'arithmetic':
            return String(integer(this.#text(piece.word), (name) => this.#variables.get(name) ?? ''));
        }
      })
      .join('');
  }
}

/**
 * Predicts the output of a shell text on a sample host. Runs nothing.
 *
 * @throws NotUnderstood where it cannot.
 */
export const predict = (text: string, host: SampleHost): Ended => {
  try {
    const shell = (inner: string): Ended => new Shell({ host, shell }, new Map()).list(parseShell(inner), '');
    return shell(text);
  } catch (error) {
    if (error instanceof ShellError) return { output: '', status: 2 };
    // Text that is nested without end overflows the stack.
    if (error instanceof RangeError) throw new NotUnderstood('is nested too deeply');
    throw error;
  }
};
