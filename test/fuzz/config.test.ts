import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { ParseOption, XmlDocument } from 'libxml2-wasm';
import { expect, it } from 'vitest';

import type { Diagnostic } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { ourVerdict, readConf } from '../config/oracle.ts';
import { fuzz, joined, TIMEOUT } from './fuzz.ts';

const FILE = 'fuzz.conf';
const fixture = (name: string): string => readFileSync(new URL(`../fixtures/config/${name}`, import.meta.url), 'utf8');
const FILES = [
  fixture('sample-style.xml'),
  fixture('rhel-style.xml'),
  readConf('vhostmd.xml'),
  readConf('suse.xml'),
  readConf('slow.xml'),
  readConf('contention.xml'),
];

/** Real files with a metric or two: parsed twenty times as fast, and more edits hit something that matters. */
const SHORT = FILES.flatMap((file) => {
  const [head = '', ...rest] = file.replace(/<!--[^]*?-->/g, '').split(/(?=<metric )/);
  return rest.slice(0, 8).map((metric) => `${head}${metric.split('</metrics>')[0]}</metrics></vhostmd>\n`);
});

const MARKUP = [
  '< > & " \' / = ; ]]> <!-- --> -- <![CDATA[ <? ?> <?xml?> <?a?> ! # x A 5 -1 1e3 4294967301 257 \u0001 \uFFFE \u00E4 \u00A0 \uFEFF',
  '<a> </a> <a/> </metric> </metrics> </vhostmd> <vhostmd> <vhostmd/> <globals> </globals> <metrics> <metric> <metric/>',
  '<virtio/> <!DOCTYPE <!DOCTYPE[ <!ENTITY <action> </action> <name> </name> <stat> </stat> cpu.time type=x unit="k"',
  '&lt; &amp; &foo; &#65; &#x41; &#0; &#xD800; &#13; &#x; &#99999999999999999999; &#x10FFFF; &#x110000; &lt &&amp; &\u00E4;',
  '__proto__ constructor toString <__proto__> <constructor/> hasOwnProperty="1" \u{1F600} \uD800 \u202E',
]
  .flatMap((line) => line.split(' '))
  .concat(' ', '\n', '\r', '\r\n', '\t', ' a="1"', ' type="int32"', ' context="vm"', '<!DOCTYPE vhostmd>', '<?a b?>')
  .concat('<metric type="string" context="host"><name>N</name><action>true</action></metric>');

const reference = fc
  .tuple(
    fc.constantFrom('&', '&#', '&#x', '&#X', '&&', '&#0', '&#-'),
    fc.oneof(
      joined(['amp', 'lt', 'a', 'F', '0', '9', '\u00E4', ' ', '&', '#', 'x'], 6),
      fc.integer({ max: 0x120000 }).map(String),
    ),
    fc.constantFrom(';', '', ';;', ' ;', '\0;'),
  )
  .map((parts) => parts.join(''));

const edit = fc.record({
  at: fc.nat({ max: 2 ** 24 }),
  drop: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 60 })),
  put: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('', ...MARKUP) }, { weight: 1, arbitrary: reference }),
});

const mutated = fc
  .tuple(
    fc.oneof(
      { weight: 200, arbitrary: fc.constantFrom(...SHORT) },
      { weight: 1, arbitrary: fc.constantFrom(...FILES) },
    ),
    fc.array(edit, { maxLength: 4 }),
  )
  .map(([file, edits]) =>
    edits.reduce((text, { at, drop, put }) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + put + text.slice(index + drop);
    }, file),
  );

const inPlace = fc
  .tuple(fc.constantFrom(...SHORT), reference, fc.constantFrom(/k|m/, /int32|string/, />(?=[^<])/, /<\/name>/, /^/))
  .map(([file, text, where]) => file.replace(where, (found) => `${found}${text}`));

const text = fc.oneof(
  { weight: 3, arbitrary: mutated },
  { weight: 2, arbitrary: joined(MARKUP, 40) },
  { weight: 1, arbitrary: inPlace },
);

const bytes = fc.tuple(mutated, fc.nat({ max: 2 ** 24 }), fc.uint8Array({ maxLength: 8 })).map(([file, at, noise]) => {
  const whole = Buffer.from(file);
  const index = at % (whole.length + 1);
  return Buffer.concat([whole.subarray(0, index), noise, whole.subarray(index)]);
});

/** Messages that refuse well-formed XML: dangerous constructs, and those that no configuration has. */
const STRICTER =
  /^(?:A DOCTYPE with an internal subset|A DTD on the network|The DOCTYPE names|The DOCTYPE is not well-formed|Elements are nested deeper|The file declares|The file is encoded as UTF-16|Unknown (?:element|attribute|entity)|Not well-formed; expected <\?xml|(?:Tag|Attribute) '.*' is an invalid name)/;

/** Replaces a declared encoding that libxml2 may not support, which is irrelevant while all characters are ASCII. */
const asUtf8 = (input: string): string =>
  /^[\0-\x7f]*$/.test(input) ? input.replace(/^(<\?xml[^>]*?encoding\s*=\s*["'])[A-Za-z][\w.-]*/, '$1UTF-8') : input;

const isWellFormed = (given: Uint8Array | string): boolean => {
  const input = typeof given === 'string' || given.some((byte) => byte > 0x7f) ? given : Buffer.from(given).toString();
  try {
    const option = ParseOption.XML_PARSE_NONET;
    const document =
      typeof input === 'string'
        ? XmlDocument.fromString(asUtf8(input), { option })
        : XmlDocument.fromBuffer(input, { option });
    document.dispose();
    return true;
  } catch {
    return false;
  }
};

const checkPlaces = (input: Uint8Array | string, diagnostics: readonly Diagnostic[]): void => {
  if (diagnostics.length === 0) return;
  const decoded = typeof input === 'string' ? input : new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
  const lines = decoded.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  for (const { file, line, column, message } of diagnostics) {
    const length = [...(lines[line - 1] ?? expect.fail(`line ${line} of ${lines.length}: ${message}`))].length;
    if (file !== FILE || column < 1 || column > length + 1)
      expect.fail(`column ${column} of ${length} in line ${line}: ${message}`);
    // oxlint-disable-next-line no-control-regex
    if (message === '' || /[\0-\x1f\x7f-\x9f]/.test(message))
      expect.fail(`not one line of text: ${JSON.stringify(message)}`);
  }
};

it(
  'a configuration of any text is read or refused with places in it, and what is read is XML',
  { timeout: TIMEOUT },
  () => {
    const counts = { read: 0, refused: 0, malformed: 0 };
    fuzz('configuration', fc.oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: bytes }), (input) => {
      const result = parseConfig(input, FILE);
      const wellFormed = isWellFormed(input);
      checkPlaces(input, [...result.warnings, ...(result.ok ? [] : result.error)]);
      if (result.ok) {
        counts.read++;
        if (!wellFormed) expect.fail('libxml2 finds it not well-formed');
        return;
      }
      counts[wellFormed ? 'refused' : 'malformed']++;
      const [first] = result.error;
      if (first === undefined) expect.fail('refused without an error');
      if (!wellFormed || typeof input !== 'string') return;
      const { verdict, message } = ourVerdict(input);
      if (verdict === 'malformed') expect(message).toMatch(STRICTER);
    });
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
  },
);
