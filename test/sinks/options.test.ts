import { describe, expect, it } from 'vitest';

import type { SinkOption } from '../../src/config/config.ts';
import { defineSink, type OptionRules } from '../../src/sinks/definition.ts';
import { readOptions } from '../../src/sinks/options.ts';

const place = (line: number) => ({ file: 'f', line, column: 5 });
const given = (...options: readonly (readonly [string, string])[]): readonly SinkOption[] =>
  options.map(([name, value], index) => ({ name, value, place: place(index + 2) }));
const read = (rules: OptionRules, ...options: readonly (readonly [string, string])[]) =>
  readOptions('mine', rules, given(...options), place(1));
const errorsOf = (rules: OptionRules, ...options: readonly (readonly [string, string])[]): readonly string[] => {
  const result = read(rules, ...options);
  return result.ok ? [] : result.error.map(({ line, column, message }) => `${line}:${column} ${message}`);
};

describe('The options of a sink', () => {
  it('become values of their types, in base units', () => {
    const rules = {
      text: { type: 'text' },
      integer: { type: 'integer' },
      negative: { type: 'integer' },
      seconds: { type: 'seconds' },
      boolean: { type: 'boolean' },
      choice: { type: 'choice', values: ['a', 'b'] },
    } as const;
    expect(
      read(
        rules,
        ['text', ' x '],
        ['integer', '8'],
        ['negative', '-3'],
        ['seconds', '0.25'],
        ['boolean', 'yes'],
        ['choice', 'b'],
      ),
    ).toEqual({
      ok: true,
      value: { text: ' x ', integer: 8, negative: -3, seconds: 250, boolean: true, choice: 'b' },
    });
  });

  it('that are missing have their default, or are undefined', () => {
    expect(read({ a: { type: 'integer', default: 7 }, b: { type: 'text' } })).toEqual({
      ok: true,
      value: { a: 7, b: undefined },
    });
  });

  it('of a definition have the types of their rules', () => {
    const definition = defineSink({
      name: 'typed',
      options: {
        n: { type: 'integer', default: 1 },
        mode: { type: 'choice', values: ['on', 'off'], required: true },
        t: { type: 'text' },
      },
      make: ({ n, mode, t }) => {
        const typed: readonly [number, 'on' | 'off', string | undefined] = [n, mode, t];
        return { name: typed.join(), run: (snapshot$) => snapshot$.pipe() as never };
      },
    });
    expect(Object.keys(definition.options)).toEqual(['n', 'mode', 't']);
    expect(definition.make({ n: 1, mode: 'on', t: undefined }, {} as never).name).toBe('1,on,');
  });

  it.each([
    ['integer', '1.5', 'a whole number from 1 to 10, found "1.5"'],
    ['integer', '11', 'a whole number from 1 to 10, found "11"'],
    ['integer', '', 'a whole number from 1 to 10, found ""'],
    ['integer', '1e1', 'a whole number from 1 to 10, found "1e1"'],
    ['seconds', '-1', 'a number of seconds, 0.5 or more, found "-1"'],
    ['seconds', '0.4', 'a number of seconds, 0.5 or more, found "0.4"'],
    ['boolean', 'true', '"yes" or "no", found "true"'],
    ['choice', 'fsat', 'one of "fast", "slow", found "fsat"; did you mean "fast"?'],
    ['url', 'ftp://x', 'an URL that begins with http, found "ftp://x"'],
    ['text', '', 'a text, found ""'],
  ])('of type %s refuse %j', (name, value, message) => {
    const rules: OptionRules = {
      integer: { type: 'integer', min: 1, max: 10 },
      seconds: { type: 'seconds', min: 500 },
      boolean: { type: 'boolean' },
      choice: { type: 'choice', values: ['fast', 'slow'] },
      url: { type: 'text', check: (text) => (text.startsWith('http') ? undefined : 'an URL that begins with http') },
      text: { type: 'text' },
    };
    expect(errorsOf(rules, [name, value])).toEqual([`2:5 Option "${name}" of sink mine must be ${message}`]);
  });

  it('that are unknown, given twice or missing are each reported with their place', () => {
    const rules: OptionRules = { format: { type: 'text' }, url: { type: 'text', required: true } };
    expect(errorsOf(rules, ['fromat', 'x'], ['format', 'x'], ['format', 'y'])).toEqual([
      '2:5 Sink mine has no option "fromat", only "format", "url"; did you mean "format"?',
      '4:5 Option "format" is given twice; remove one',
      '1:5 Sink mine needs <option name="url">..</option>',
    ]);
    expect(errorsOf({}, ['constructor', 'x'])).toEqual([
      '2:5 Sink mine has no option "constructor": it takes none; remove it',
    ]);
  });
});
