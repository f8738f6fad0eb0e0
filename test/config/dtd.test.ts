import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { GRAMMAR } from '../../src/config/grammar.ts';
import { libxml2Verdict, ourVerdict, readConf } from './oracle.ts';
import type { Verdict } from './oracle.ts';
import { PATIENCE } from '../support/patience.ts';

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly content: readonly (Element | string)[];
}

const NAMES = [...GRAMMAR.keys(), 'metrik', 'value', 'hasOwnProperty', 'toString'];
const TEXTS = ['', ' ', '\n  ', 'x', '5', '&lt;', '&#32;', '<![CDATA[ ]]>', '<!-- c -->', '<?pi "x?>', '<!--x-->y'];
const ATTRIBUTES = ['type', 'context', 'unit', 'name', 'cnt', 'scale', 'timeout', 'period', 'module', 'id'];
const VALUES = ['int32', 'group', 'host', 'vm', 'k', 'MiB', '', 'x', ' host', 'HOST'];

/** Returns a random integer from 0 to below `bound`. All choices of a case use it, so a seed reproduces the case. */
type Next = (bound: number) => number;

const pick = <T>(from: readonly T[], next: Next): T => from[next(from.length)] as T;

const valid = (name: string, next: Next): Element => {
  const rule = GRAMMAR.get(name);
  if (rule === undefined) return { name, attributes: new Map(), content: [] };
  const attributes = Object.entries(rule.attributes).flatMap(([key, { required, values }]): [string, string][] =>
    required || next(4) === 0 ? [[key, pick(values ?? VALUES, next)]] : [],
  );
  const content =
    rule.content === 'text'
      ? [pick(TEXTS, next)]
      : rule.content.flatMap(({ names, optional, repeated }) => {
          const least = optional ? 0 : 1;
          const count = least + next((repeated ? 2 : 1 - least) + 1);
          return Array.from({ length: count }, () => valid(pick(names, next), next));
        });
  return { name, attributes: new Map(attributes), content };
};

const CHANGES: readonly ((element: Element, next: Next) => Element)[] = [
  (element, next) => ({ ...element, name: pick(NAMES, next) }),
  (element, next) => ({ ...element, content: element.content.toSpliced(next(element.content.length + 1), 1) }),
  (element, next) => ({
    ...element,
    content: element.content.toSpliced(next(element.content.length + 1), 0, valid(pick(NAMES, next), next)),
  }),
  (element, next) => ({
    ...element,
    content: element.content.toSpliced(next(element.content.length + 1), 0, pick(TEXTS, next)),
  }),
  (element, next) => {
    const index = next(element.content.length + 1);
    return {
      ...element,
      content: element.content.toSpliced(index, 2, ...element.content.slice(index, index + 2).reverse()),
    };
  },
  (element, next) => {
    const index = next(element.content.length + 1);
    return { ...element, content: element.content.toSpliced(index, 0, ...element.content.slice(index, index + 1)) };
  },
  (element, next) => ({ ...element, attributes: new Map([...element.attributes].slice(next(2))) }),
  (element, next) => ({
    ...element,
    attributes: new Map([...element.attributes, [pick(ATTRIBUTES, next), pick(VALUES, next)]]),
  }),
];

const mutate = (element: Element, next: Next): Element => {
  const inner = element.content.flatMap((part, index) => (typeof part === 'string' ? [] : [{ part, index }]));
  if (inner.length === 0 || next(4) === 0) return pick(CHANGES, next)(element, next);
  const { part, index } = pick(inner, next);
  return { ...element, content: element.content.with(index, mutate(part, next)) };
};

const write = ({ name, attributes, content }: Element): string => {
  const start = [name, ...[...attributes].map(([key, value]) => `${key}="${value}"`)].join(' ');
  const inside = content.map((part) => (typeof part === 'string' ? part : write(part))).join('');
  return inside === '' ? `<${start}/>` : `<${start}>${inside}</${name}>`;
};

const random =
  (gen: fc.GeneratorValue): Next =>
  (bound) =>
    gen(fc.nat, { max: bound - 1 });

/** Returns the verdict of both checkers; fails if they differ. */
const agree = (text: string): Verdict => {
  const { verdict, message } = ourVerdict(text);
  expect(verdict, `${message}\n${text}`).toBe(libxml2Verdict(text));
  return verdict;
};

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/config/${name}`, import.meta.url), 'utf8');

const SNIPPETS = [
  '< > & " \' / = ; ]]> <!-- --> -- <![CDATA[ <? ?> <?xml?> <?a?> ! # x &#65; &#x41; &#0; &#xD800; &#13; &lt; &foo; &#x;',
  '<a> </a> <a/> </metric> </vhostmd> <vhostmd/> <metric/> <virtio/> <!DOCTYPE <action> </action> type=x x x',
]
  .flatMap((line) => line.split(' '))
  .concat(' a="1"', ' type="x"', '<!DOCTYPE vhostmd>', '<?a b?>', ' ', '\n', '\r', '\t')
  .concat('\u0001', '\uFFFE', '\u00E4', '\u00A0');

describe('the grammar and conf/vhostmd.dtd', { timeout: 60_000 * PATIENCE }, () => {
  it('accept and refuse exactly the same trees', () => {
    const verdicts = { valid: 0, invalid: 0, malformed: 0 };
    fc.assert(
      fc.property(fc.gen(), fc.nat({ max: 3 }), (gen, mutations) => {
        const next = random(gen);
        let tree = valid('vhostmd', next);
        for (let count = 0; count < mutations; count++) tree = mutate(tree, next);
        const text = write(tree);
        verdicts[agree(text)]++;
      }),
      { numRuns: 3000 },
    );
    expect(verdicts.malformed).toBe(0);
    expect(verdicts.valid).toBeGreaterThan(500);
    expect(verdicts.invalid).toBeGreaterThan(500);
  });

  it('accept and refuse exactly the same mutations of real files, not well-formed ones included', () => {
    const files = [fixture('sample-style.xml'), fixture('rhel-style.xml'), readConf('vhostmd.xml')].map((text) =>
      text.replace(/^<\?xml.*\n<!DOCTYPE.*\n/, ''),
    );
    const verdicts = { valid: 0, invalid: 0, malformed: 0 };
    const edit = fc.record({
      at: fc.nat({ max: 2 ** 24 }),
      drop: fc.nat({ max: 3 }),
      snippet: fc.constantFrom('', '', ...SNIPPETS),
    });
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 2 }), (file, edits) => {
        let text = file;
        for (const { at, drop, snippet } of edits) {
          const index = at % text.length;
          text = text.slice(0, index) + snippet + text.slice(index + drop);
        }
        verdicts[agree(text)]++;
      }),
      { numRuns: 3000 },
    );
    expect(verdicts.malformed).toBeGreaterThan(500);
    expect(verdicts.invalid).toBeGreaterThan(50);
    expect(verdicts.valid).toBeGreaterThan(500);
  });

  it.each(['vhostmd.xml', 'suse.xml', 'slow.xml', 'contention.xml'])('accept conf/%s', (name) => {
    expect([ourVerdict(readConf(name)), libxml2Verdict(readConf(name))]).toEqual([
      { verdict: 'valid', message: '' },
      'valid',
    ]);
  });

  it.each(['sample-style.xml', 'rhel-style.xml'])('accept the fixture %s', (name) => {
    expect([ourVerdict(fixture(name)), libxml2Verdict(fixture(name))]).toEqual([
      { verdict: 'valid', message: '' },
      'valid',
    ]);
  });
});
