import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LONGEST_REQUEST, readRequest, START } from '../../../src/sinks/virtio-serial/request.ts';
import type { Reading, Request } from '../../../src/sinks/virtio-serial/request.ts';

const GOOD = 'GET /metrics/XML\n\n';

/** Returns the requests in these chunks, in order. */
const requests = (...chunks: readonly string[]): readonly Request[] => {
  let reading: Reading = START;
  const found: Request[] = [];
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk, 'latin1');
    let at = 0;
    for (;;) {
      const step = readRequest(reading, bytes, at);
      ({ reading, at } = step);
      if (step.request === undefined) break;
      found.push(step.request);
    }
    expect(at).toBe(bytes.length);
  }
  return found;
};

describe('the reader of requests', () => {
  it.each([
    ['line ends of LF', GOOD, ['metrics']],
    ['line ends of CR LF', 'GET /metrics/XML\r\n\r\n', ['metrics']],
    ['no blank line yet', 'GET /metrics/XML\n', []],
    ['lower case', 'get /metrics/xml\n\n', ['invalid']],
    ['mixed line ends', 'GET /metrics/XML\r\n\n', ['invalid']],
    ['mixed line ends, the other way', 'GET /metrics/XML\n\r\n', ['invalid']],
    ['a line too many', 'GET /metrics/XML\nHost: x\n\n', ['invalid']],
    ['a space too many', 'GET /metrics/XML \n\n', ['invalid']],
    ['something before it', ' GET /metrics/XML\n\n', ['invalid']],
    ['another text of its length', 'GET /metrics/XMX\n\n', ['invalid']],
    ['another text of its length with CR LF', 'GET /metrics/XMX\r\n\r\n', ['invalid']],
    ['a part of it', 'GET /metrics\n\n', ['invalid']],
    ['NUL bytes', '\0\0\n\nGET /metrics/XML\0\n\n', ['invalid', 'invalid']],
    ['a lone CR', '\r\r\n\n', ['invalid']],
    ['a CR in a blank line that is none', 'a\n\rb\n\n', ['invalid']],
    ['blank lines before and between, which mean nothing', `\n\r\n\n${GOOD}\n\n\r\n${GOOD}\n`, ['metrics', 'metrics']],
    ['many at once', GOOD.repeat(100), Array.from({ length: 100 }, () => 'metrics')],
    ['all kinds at once', `${GOOD}x\n\nGET /metrics/XML\r\n\r\n`, ['metrics', 'invalid', 'metrics']],
  ])('understands %s', (_what, text, expected) => {
    expect(requests(text)).toEqual(expected);
  });

  it('FAULTS 61: takes 512 bytes, and tells what is longer at once, but only once', () => {
    expect(requests('x'.repeat(LONGEST_REQUEST))).toEqual([]);
    expect(requests('x'.repeat(LONGEST_REQUEST + 1))).toEqual(['invalid']);
    expect(requests(`${'x'.repeat(LONGEST_REQUEST - 2)}\n\n${GOOD}`)).toEqual(['invalid', 'metrics']);
    expect(requests(`${'x\n'.repeat(5000)}\n${GOOD}`)).toEqual(['invalid', 'metrics']);
    expect(requests(`${'x'.repeat(5000)}\r\n\r\n${GOOD}`)).toEqual(['invalid', 'metrics']);
    expect(requests(`${'x'.repeat(5000)}${GOOD}${GOOD}`)).toEqual(['invalid', 'metrics']);
  });

  it('finds the same in a text however it is split', () => {
    const part = fc.constantFrom(
      GOOD,
      'GET /metrics/XML\r\n\r\n',
      '\n',
      '\r',
      '\0',
      'GET ',
      'x',
      'y'.repeat(511),
      '\n\n',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 30 }), (parts, places) => {
        const text = parts.join('');
        const cuts = [...new Set(places.map((place) => place % (text.length + 1)))].toSorted((a, b) => a - b);
        const chunks = [0, ...cuts].map((cut, index) => text.slice(cut, cuts[index]));
        expect(requests(...chunks)).toEqual(requests(text));
      }),
    );
  });

  it('agrees with a reader that is slow and plain', () => {
    const plain = (text: string): readonly Request[] => {
      const found: Request[] = [];
      let held = '';
      for (const character of text) {
        held += character;
        if (/^\r?\n$/.test(held)) held = '';
        if (!/\n\r?\n$/.test(held)) continue;
        found.push(held === GOOD || held === 'GET /metrics/XML\r\n\r\n' ? 'metrics' : 'invalid');
        held = '';
      }
      return held.length > LONGEST_REQUEST ? [...found, 'invalid'] : found;
    };
    const part = fc.constantFrom('GET /metrics/XML', '\n', '\r\n', '\r', 'z'.repeat(600), 'a');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        expect(requests(parts.join(''))).toEqual(plain(parts.join('')));
      }),
    );
  });
});
