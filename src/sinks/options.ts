import type { Diagnostic, SinkOption } from '../config/config.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { Place } from '../model/metric.ts';
import type { OptionRule, OptionRules, OptionValues } from './definition.ts';

/** The values of all options, or what is wrong with them and where. */
export type OptionsResult<Rules extends OptionRules> =
  | { readonly ok: true; readonly values: OptionValues<Rules> }
  | { readonly ok: false; readonly errors: readonly Diagnostic[] };

type Value = string | number | boolean;
type Read = { readonly value: Value } | { readonly wrong: string };

/** Diagnostic at a place. */
export const diagnostic = ({ file, line, column }: Place, message: string): Diagnostic => ({
  file,
  line,
  column,
  message,
});

/** Names for a message: `"a", "b"`. */
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
): Read => {
  const value = Number(text) * scale;
  if (pattern.test(text) && value >= (min ?? -Infinity) && value <= (max ?? Infinity)) return { value };
  const scaled = (limit: number | undefined): number | undefined => (limit === undefined ? undefined : limit / scale);
  return { wrong: `${what}${rangeText(scaled(min), scaled(max))}` };
};

const read = (rule: OptionRule, text: string): Read => {
  switch (rule.type) {
    case 'text':
      return text === '' ? { wrong: 'a text' } : { value: text };
    case 'integer':
      return numeric(text, /^-?\d{1,15}$/, 1, rule, 'a whole number');
    case 'seconds':
      return numeric(text, /^\d{1,9}(\.\d{1,3})?$/, 1000, rule, 'a number of seconds');
    case 'boolean':
      return text === 'yes' || text === 'no' ? { value: text === 'yes' } : { wrong: '"yes" or "no"' };
    case 'choice':
      if (rule.values.includes(text)) return { value: text };
      return { wrong: `one of ${list(rule.values)}` };
  }
};

const checked = (rule: OptionRule, text: string): Read => {
  const found = read(rule, text);
  if ('wrong' in found || rule.check === undefined) return found;
  // The rule's own type of value, as `read` has made it.
  const wrong = (rule.check as (value: Value) => string | undefined)(found.value);
  return wrong === undefined ? found : { wrong };
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
  if (!('wrong' in found)) return [];
  const hint = rule.type === 'choice' ? didYouMean(value, rule.values) : '';
  const message = `Option ${quote(name)} of sink ${sink} must be ${found.wrong}, found ${quote(value)}${hint}`;
  return [diagnostic(place, message)];
};

/** Checks what a configuration gives for the options of a sink; `place` is that of the `<sink>`. */
export const readOptions = <Rules extends OptionRules>(
  sink: string,
  rules: Rules,
  given: readonly SinkOption[],
  place: Place,
): OptionsResult<Rules> => {
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
  if (errors.length > 0) return { ok: false, errors };
  const entries = Object.entries(rules).map(([name, rule]): readonly [string, Value | undefined] => {
    const text = given.find((option) => option.name === name)?.value;
    const found = text === undefined ? undefined : checked(rule, text);
    return [name, found !== undefined && 'value' in found ? found.value : rule.default];
  });
  // Each value has been made by its rule.
  return { ok: true, values: Object.fromEntries(entries) as OptionValues<Rules> };
};
