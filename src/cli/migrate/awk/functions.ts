import type { Machine } from './machine.ts';
import type { Expression } from './program.ts';
import { toNumber, toText, type Value } from './values.ts';
import { refuse } from '../not-understood.ts';
import { formatted } from '../commands/printf.ts';

type Run = Parameters<Expression['value']>;

// In a replacement, & is the match.
const replacement = (text: string, match: string): string =>
  text.replace(/\\\\|\\&|&/g, (found) => (found === '&' ? match : found.slice(1)));

const substitution = (
  global: boolean,
  [text, target]: readonly Expression[],
  pattern: (...run: Run) => RegExp,
): Expression => {
  if (target !== undefined && target.set === undefined) return refuse('changes what is no variable in awk');
  return {
    value: (...run) => {
      const before = target === undefined ? toText(run[0].field(0)) : toText(target.value(...run));
      const inserted = toText(text?.value(...run));
      let count = 0;
      const after = before.replace(new RegExp(pattern(...run).source, global ? 'g' : ''), (match) => {
        count++;
        return replacement(inserted, match);
      });
      if (count === 0) return 0;
      if (target === undefined) run[0].setRecord(after);
      else target.set?.(...run, after);
      return count;
    },
  };
};

const TEXT: Readonly<Record<string, (machine: Machine, args: readonly Value[]) => Value>> = {
  close: (machine, [name]) => {
    machine.close(toText(name));
    return 0;
  },
  index: (_, [text, part]) => toText(text).indexOf(toText(part)) + 1,
  int: (_, [value]) => Math.trunc(toNumber(value)),
  length: (machine, [value]) => toText(value === undefined ? machine.field(0) : value).length,
  sprintf: (_, [format, ...values]) => formatted(toText(format), values),
  substr: (_, [text, from, length]) => {
    const start = Math.round(toNumber(from)) - 1;
    const end = length === undefined ? Infinity : start + Math.round(toNumber(length));
    return toText(text).slice(Math.max(0, start), Math.max(0, end));
  },
  tolower: (_, [text]) => toText(text).toLowerCase(),
  toupper: (_, [text]) => toText(text).toUpperCase(),
};

/** Compiles a call of one of awk's own functions. */
export const call = (
  name: string,
  args: readonly Expression[],
  pattern: ((...run: Run) => RegExp) | undefined,
): Expression => {
  if (pattern !== undefined) return substitution(name === 'gsub', args, pattern);
  const compute = TEXT[name] ?? refuse(`has the function ${name} of awk`);
  return {
    value: (...run) =>
      compute(
        run[0],
        args.map((each) => each.value(...run)),
      ),
  };
};
