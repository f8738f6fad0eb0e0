import { refuse } from '../not-understood.ts';
import { knownVariable } from './machine.ts';
import { ARITHMETIC, bool, COMPARISONS, type Expression, type Function } from './program.ts';
import { isNumeric, toNumber, toText } from './values.ts';

/** Sets a variable or field: `=`, or an operator such as `+=` with its old value. */
export const assignment = (target: Expression, operator: string, other: Expression): Expression => {
  const { set } = target;
  if (set === undefined) return refuse('has an assignment of awk that is not known');
  const compute = ARITHMETIC[operator[0] ?? ''];
  return {
    value: (machine, locals) => {
      const operand = other.value(machine, locals);
      const value =
        compute === undefined ? operand : compute(toNumber(target.value(machine, locals)), toNumber(operand));
      set(machine, locals, value);
      return value;
    },
  };
};

/** Compares numbers, or texts for equality only. */
export const comparison = (left: Expression, operator: string, right: Expression): Expression => {
  const compare = COMPARISONS[operator] ?? refuse('has an operator of awk that is not known');
  const shape = left.shape === true || right.shape === true;
  return {
    value: (machine, locals) => {
      const [a, b] = [left.value(machine, locals), right.value(machine, locals)];
      if (!isNumeric(a) || !isNumeric(b)) {
        if (!/^[!=]=$/.test(operator)) refuse('compares texts');
        return bool(compare(toText(a) === toText(b) ? 0 : 1));
      }
      const [first, second] = [toNumber(a), toNumber(b)];
      // The sample hosts have values around 0 and 1, but not around any other limit.
      if (!shape && Math.min(Math.abs(first), Math.abs(second)) > 1) refuse('compares numbers');
      return bool(compare(first - second));
    },
  };
};

/** `++` and `--`; `isBefore`: in front of the variable, where the value is the new one. */
export const counting = (target: Expression, operator: string, isBefore: boolean): Expression => {
  const { set } = target;
  if (set === undefined) return refuse('counts what is no variable in awk');
  return {
    value: (machine, locals) => {
      const old = toNumber(target.value(machine, locals));
      const value = old + (operator === '++' ? 1 : -1);
      set(machine, locals, value);
      return isBefore ? value : old;
    },
  };
};

/** A field of the record: `$` and its number. */
export const field = (index: Expression): Expression => ({
  value: (machine, locals) => machine.field(toNumber(index.value(machine, locals))),
  set: (machine, locals, value) => machine.setField(toNumber(index.value(machine, locals)), toText(value)),
});

/** A parameter of the function that is being compiled. */
export const parameter = (name: string): Expression => ({
  value: (_, locals) => locals.get(name),
  set: (_, locals, value) => locals.set(name, value),
});

/** A variable of the program. */
export const variable = (name: string): Expression => {
  knownVariable(name);
  return {
    value: (machine) => machine.get(name),
    set: (machine, _, value) => machine.set(name, value),
    shape: /^(?:NR|NF|FNR)$/.test(name),
  };
};

/** Calls a function of the program, which may be defined after the call. */
export const ownCall = (
  functions: ReadonlyMap<string, Function>,
  name: string,
  args: readonly Expression[],
): Expression => ({
  value: (machine, locals) => {
    machine.step();
    const { parameters, body } = functions.get(name) ?? refuse(`calls the function ${name} of awk`);
    if (args.length > parameters.length) refuse(`calls ${name} with too many values in awk`);
    const flow = body(machine, new Map(parameters.map((each, i) => [each, args[i]?.value(machine, locals)])));
    return typeof flow === 'object' ? flow.returned : undefined;
  },
});

/** Reads a line of a command or file into `target`, or without it into the record: 1, or 0 at the end. */
export const nextLine = (kind: 'command' | 'file', source: Expression, target?: Expression): Expression => ({
  shape: true,
  value: (machine, locals) => {
    machine.step();
    const line = machine.read(kind, toText(source.value(machine, locals)));
    if (line === undefined) return 0;
    if (target?.set === undefined) machine.setRecord(line);
    else target.set(machine, locals, line);
    return 1;
  },
});
