import { Machine } from './machine.ts';
import { parseAwk } from './parser.ts';
import type { Program } from './program.ts';
import { Field, isTrue } from './values.ts';
import { refuse } from '../not-understood.ts';
import { unescaped } from '../commands/printf.ts';
import type { Surroundings } from '../commands/tool.ts';

const ASSIGNMENT = /^([A-Za-z_]\w*)=([^]*)$/;

// An action runs on each of the sample hosts.
const programs = new Map<string, Program>();
const programOf = (text: string): Program => {
  const program = programs.get(text) ?? parseAwk(text);
  programs.set(text, program);
  return program;
};

/** awk, gawk or mawk: the options -F and -v, a program, files. */
export const awk = (args: readonly string[], input: string, around: Surroundings): string => {
  const words = [...args];
  const settings: [string, string][] = [];
  const assignment = (text: string): [string, string] => {
    const [, name, value] = ASSIGNMENT.exec(text) ?? refuse(`sets ${text} in awk`);
    return [name ?? '', unescaped(value ?? '')];
  };
  while (words[0]?.startsWith('-') === true) {
    const option = words.shift() ?? '';
    const value = (): string => option.slice(2) || (words.shift() ?? refuse(`has the option ${option} of awk alone`));
    if (option.startsWith('-F')) settings.push(['FS', unescaped(value())]);
    else if (option.startsWith('-v')) settings.push(assignment(value()));
    else if (option === '--') break;
    else refuse(`has the option ${option} of awk`);
  }
  const { begin, main, end } = programOf(words.shift() ?? refuse('has no program of awk'));
  if (words.some((word) => ASSIGNMENT.test(word))) refuse('sets a variable among the files of awk');
  const machine = new Machine(
    around,
    words.length === 0 ? input : words.map((file) => around.host.file(file)).join(''),
  );
  for (const [name, value] of settings) machine.set(name, name === 'FS' ? value : new Field(value));
  const run = (): void => {
    for (const body of begin) if (body(machine, new Map()) === 'exit') return;
    if (main.length === 0 && end.length === 0) return;
    records: while (machine.next()) {
      for (const { pattern, body } of main) {
        if (pattern !== undefined && !isTrue(pattern.value(machine, new Map()))) continue;
        const flow = body(machine, new Map());
        if (flow === 'exit') break records;
        if (flow === 'next') break;
      }
    }
    for (const body of end) if (body(machine, new Map()) === 'exit') return;
  };
  run();
  return machine.output;
};
