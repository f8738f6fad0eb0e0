import { describe, expect, it } from 'vitest';

import { attributeValue, child, type XmlElement } from '../../src/xml/element.ts';
import { lineOf, parseXml } from '../../src/xml/parse.ts';
import { XmlError } from '../../src/xml/positions.ts';

const read = (text: string, depth?: number): XmlElement =>
  parseXml(text, { root: 'a', ...(depth === undefined ? {} : { depth }) });
const failure = (text: string, depth?: number): string => {
  try {
    read(text, depth);
    return 'no failure';
  } catch (error) {
    return error instanceof XmlError ? `${error.index}: ${error.message}` : String(error);
  }
};

describe('parseXml', () => {
  it('gives each element its text, attributes, children and place', () => {
    const text = `<?xml version="1.0"?>\n<a x='1' y="&lt;&#65;">\n  <b/> t&amp;<!-- c --><![CDATA[<&>]]>\n</a>\n`;
    const root = read(text);
    expect(text.slice(root.index, root.end)).toBe(text.slice(text.indexOf('<a'), -1));
    expect(root).toMatchObject({ name: 'a', text: '\n   t&<&>\n', hasText: true, textIndex: text.indexOf('t&amp;') });
    expect([attributeValue(root, 'x'), attributeValue(root, 'y'), attributeValue(root, 'z')]).toEqual([
      '1',
      '<A',
      undefined,
    ]);
    expect(text.slice(root.attributes.get('y')?.valueIndex)).toMatch(/^&lt;/);
    const b = child(root, 'b');
    expect(b).toMatchObject({ name: 'b', children: [], text: '', hasText: false, textIndex: b?.index });
    expect(text.slice(b?.index, b?.end)).toBe('<b/>');
  });

  it.each([
    [' \r\n ', false],
    ['&#32;&#9;', false],
    ['<!-- c --><?pi x?>', false],
    ['&#160;', true],
    ['<![CDATA[]]>', true],
  ])('finds that %j is text or not', (inside, hasText) => {
    expect(read(`<a>${inside}</a>`).hasText).toBe(hasText);
  });

  it('gives CDATA as the place of the text where it is the first', () => {
    expect(read('<a> <b/> <![CDATA[ ]]>x</a>').textIndex).toBe(9);
  });

  it('takes names that objects of JavaScript have for names', () => {
    const root = read(`<a __proto__='1' constructor='2'><__proto__ toString='3'/></a>`);
    expect([...root.attributes.keys()]).toEqual(['__proto__', 'constructor']);
    expect(attributeValue(root, 'toString')).toBeUndefined();
    expect(attributeValue(child(root, '__proto__'), 'toString')).toBe('3');
  });

  it('has blanks for white space in attributes, but not for its references', () => {
    expect(attributeValue(read(`<a x='1\n2\t3&#10;4'/>`), 'x')).toBe('1 2 3\n4');
  });

  it('goes no deeper than 256 levels, or as many as are given', () => {
    const nested = (levels: number): string => `${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}`;
    expect(failure(nested(256))).toBe('no failure');
    expect(failure(nested(100_000))).toBe('768: Elements are nested deeper than 256 levels.');
    expect(failure(nested(3), 2)).toBe('6: Elements are nested deeper than 2 levels.');
  });

  it('names the root that is expected', () => {
    expect(failure('')).toBe('0: No element found; expected <a>.');
    expect(failure('x')).toBe('0: Text outside of <a>; expected <a> or a comment.');
    expect(failure('<!DOCTYPE b><a/>')).toBe('0: The DOCTYPE names <b>; expected <!DOCTYPE a SYSTEM "a.dtd">.');
  });

  it('names the tag that is not closed, and where it was opened', () => {
    expect(failure('<a>\n <b>\n</a>')).toBe(
      "9: Expected closing tag 'b' (opened in line 2, col 2) instead of closing tag 'a'.",
    );
    expect(failure('<a>\n<b><c/>')).toBe('11: The text ends while <a>, <b> are still open; a closing tag is missing.');
  });
});

it('lineOf counts from 1', () => {
  expect([0, 1, 2, 3].map((index) => lineOf('a\n\nb', index))).toEqual([1, 1, 2, 3]);
});
