import { Field, toText, type Value } from './values.ts';
import { refuse } from '../not-understood.ts';
import { posixPattern } from '../commands/posix-pattern.ts';
import type { Surroundings } from '../commands/tool.ts';

/** Special variables that are known; a program with another one is refused. */
const KNOWN: ReadonlySet<string> = new Set(['FS', 'OFS', 'ORS', 'NR', 'NF', 'FNR']);
const UNKNOWN =
  /^(?:RS|RT|SUBSEP|ENVIRON|ARGV|ARGC|ARGIND|ERRNO|RSTART|RLENGTH|FILENAME|IGNORECASE|FIELDWIDTHS|FPAT|PROCINFO|CONVFMT|OFMT|BINMODE|TEXTDOMAIN)$/;
const MAX_STEPS = 20_000;

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

/** State of one run of awk: variables, the current record and its fields, open inputs, output. */
export class Machine {
  output = '';
  readonly #around: Surroundings;
  readonly #variables = new Map<string, Value>([
    ['FS', ' '],
    ['OFS', ' '],
    ['ORS', '\n'],
    ['NR', 0],
  ]);
  readonly #inputs = new Map<string, string[]>();
  readonly #main: string[];
  #fields: string[] = [''];
  #steps = 0;

  constructor(around: Surroundings, input: string) {
    this.#around = around;
    this.#main = linesOf(input);
  }

  /** Counts a step, so that no program runs for ever. */
  step(): void {
    if (++this.#steps > MAX_STEPS) refuse('runs for too long');
  }

  get(name: string): Value {
    if (name === 'NF') return this.#fields.length - 1;
    if (name === 'FNR') return this.get('NR');
    return this.#variables.get(name);
  }

  set(name: string, value: Value): void {
    if (name === 'NF' || name === 'NR' || name === 'FNR' || (name === 'FS' && toText(value) === ''))
      refuse(`sets ${name} of awk`);
    this.#variables.set(name, value);
  }

  field(index: number): Value {
    if (!Number.isInteger(index) || index < 0) return refuse(`asks awk for field ${index}`);
    const text = this.#fields[index];
    return text === undefined ? undefined : new Field(text);
  }

  setField(index: number, text: string): void {
    if (index === 0) {
      this.setRecord(text);
      return;
    }
    if (index >= this.#fields.length) refuse('adds a field in awk');
    this.#fields[index] = text;
    this.#fields[0] = this.#fields.slice(1).join(toText(this.get('OFS')));
  }

  setRecord(line: string): void {
    const separator = toText(this.get('FS'));
    const trimmed = line.replace(/^[ \t\n]+|[ \t\n]+$/g, '');
    if (separator === ' ') this.#fields = [line, ...(trimmed === '' ? [] : trimmed.split(/[ \t\n]+/))];
    else {
      const pattern = separator.length === 1 && separator !== '\\' ? separator : posixPattern(separator, 'awk');
      this.#fields = [line, ...(line === '' ? [] : line.split(pattern))];
    }
  }

  /** Takes the next record of the main input; false at its end. */
  next(): boolean {
    const line = this.#main.shift();
    if (line === undefined) return false;
    this.#variables.set('NR', Number(this.#variables.get('NR')) + 1);
    this.setRecord(line);
    return true;
  }

  /** The next line of a file or of a command's output; undefined at its end. */
  read(kind: 'file' | 'command', name: string): string | undefined {
    const key = `${kind} ${name}`;
    const lines =
      this.#inputs.get(key) ??
      linesOf(kind === 'file' ? this.#around.host.file(name) : this.#around.shell(name).output);
    this.#inputs.set(key, lines);
    return lines.shift();
  }

  close(name: string): void {
    for (const kind of ['file', 'command']) this.#inputs.delete(`${kind} ${name}`);
  }
}

/** Checks the name of a variable: those with a meaning of their own that is not known here are refused. */
export const knownVariable = (name: string): string =>
  UNKNOWN.test(name) && !KNOWN.has(name) ? refuse(`has the variable ${name} of awk`) : name;
