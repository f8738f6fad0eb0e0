import type { Diagnostic, SinkOption } from '../config/config.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { Place } from '../model/metric.ts';
import { failure, type Result, success } from '../model/result.ts';
import type { OptionRule, OptionRules, OptionValues } from './definition.ts';

type Value = string | number | boolean;

/** Makes a diagnostic at a place. */
export const diagnostic = ({ file, line, column }: Place, message: string): Diagnostic => ({
  file,
  line,
  column,
  message,
});

/** Lists names for a message: `"a", "b"`. */
export const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

const rangeText = (min: number | undefined, max: number | undefined): string => {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return `, ${min} or more`;
  return max === undefined ? '' : `, ${max} or less`;
};

const numeric = (
  text: string,
  pattern: RegExp,
  scale: number,
  { min, max }: { readonly min?: number; readonly max?: number },
  what: string,
): Result<Value> => {
  const value = Number(text) * scale;
  if (pattern.test(text) && value >= (min ?? -Infinity) && value <= (max ?? Infinity)) return success(value);
  const scaled = (limit: number | undefined): number | undefined => (limit === undefined ? undefined : limit / scale);
  return failure(`${what}${rangeText(scaled(min), scaled(max))}`);
};

const read = (rule: OptionRule, text: string): Result<Value> => {
  switch (rule.type) {
    case 'text':
      return text === '' ? failure('a text') : success(text);
    case 'integer':
      return numeric(text, /^-?\d{1,15}$/, 1, rule, 'a whole number');
    case 'seconds':
      return numeric(text, /^\d{1,9}(\.\d{1,3})?$/, 1000, rule, 'a number of seconds');
    case 'boolean':
      return text === 'yes' || text === 'no' ? success(text === 'yes') : failure('"yes" or "no"');
    case 'choice':
      return rule.values.includes(text) ? success(text) : failure(`one of ${list(rule.values)}`);
  }
};

const checked = (rule: OptionRule, text: string): Result<Value> => {
  const found = read(rule, text);
  if (!found.ok || rule.check === undefined) return found;
  // `read` has made a value of the rule's type.
  const wrong = (rule.check as (value: Value) => string | undefined)(found.value);
  return wrong === undefined ? found : failure(wrong);
};

const unknown = (sink: string, rules: OptionRules, name: string): string => {
  const names = Object.keys(rules);
  if (names.length === 0) return `Sink ${sink} has no option ${quote(name)}: it takes none; remove it`;
  return `Sink ${sink} has no option ${quote(name)}, only ${list(names)}${didYouMean(name, names)}`;
};

const optionErrors = (sink: string, rules: OptionRules, { name, value, place }: SinkOption): readonly Diagnostic[] => {
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (rule === undefined) return [diagnostic(place, unknown(sink, rules, name))];
  const found = checked(rule, value);
  if (found.ok) return [];
  const hint = rule.type === 'choice' ? didYouMean(value, rule.values) : '';
  const message = `Option ${quote(name)} of sink ${sink} must be ${found.error}, found ${quote(value)}${hint}`;
  return [diagnostic(place, message)];
};

/** Checks the options of a sink in a configuration. `place`: that of the `<sink>`. */
export const readOptions = <Rules extends OptionRules>(
  sink: string,
  rules: Rules,
  given: readonly SinkOption[],
  place: Place,
): Result<OptionValues<Rules>, readonly Diagnostic[]> => {
  const isRepeated = ({ name }: SinkOption, index: number): boolean =>
    given.findIndex((other) => other.name === name) < index;
  const isMissing = ([name, rule]: readonly [string, OptionRule]): boolean =>
    rule.required === true && given.every((option) => option.name !== name);
  const errors = [
    ...given.flatMap((option) => optionErrors(sink, rules, option)),
    ...given
      .filter(isRepeated)
      .map((option) => diagnostic(option.place, `Option ${quote(option.name)} is given twice; remove one`)),
    ...Object.entries(rules)
      .filter(isMissing)
      .map(([name]) => diagnostic(place, `Sink ${sink} needs <option name="${name}">..</option>`)),
  ];
  if (errors.length > 0) return failure(errors);
  const entries = Object.entries(rules).map(([name, rule]): readonly [string, Value | undefined] => {
    const text = given.find((option) => option.name === name)?.value;
    const found = text === undefined ? undefined : checked(rule, text);
    return [name, found?.ok === true ? found.value : rule.default];
  });
  // Each value has been made by its rule.
  return success(Object.fromEntries(entries) as OptionValues<Rules>);
};
