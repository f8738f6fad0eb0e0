import fc from 'fast-check';
import { ParseOption, XmlDocument } from 'libxml2-wasm';
import type { XmlElement } from 'libxml2-wasm';
import { expect, it } from 'vitest';

import { document, metricsXml } from '../../src/model/metrics-xml.ts';
import type { MetricDefinition, MetricType, Sample, ValueType } from '../../src/model/metric.ts';
import { VALUE_TYPES } from '../../src/model/metric.ts';
import { readOutput } from '../../src/sources/action/output.ts';
import { snapshot } from '../../src/testing/snapshots.ts';
import { decodeOutput } from '../../src/model/value.ts';
import { actionMetric } from '../sources/action/requests.ts';
import { fuzz, joined, TIMEOUT } from './fuzz.ts';

/** Number of actions' values in one document, because libxml2 takes longest to begin. */
const BATCH = 100;

const NUMBERS = [
  '0',
  '1',
  '7',
  '9',
  '-',
  '+',
  '.',
  'e',
  'E',
  ',',
  ' ',
  'x',
  'NaN',
  'Infinity',
  '2147483648',
  '4294967296',
].concat(
  '9223372036854775808',
  '18446744073709551616',
  '-9223372036854775809',
  '3.5e38',
  '1e308',
  '.5',
  '00',
  '\n',
  '\u0661',
);
const TEXTS = [
  'a',
  ' ',
  '\n',
  '\n\n',
  '\r',
  '\t',
  '\0',
  '\x1b[2J',
  '\x7f',
  '\x85',
  '\u00a0',
  '\u2028',
  '\ufffe',
  '\ufeff',
  'gr\u00fcn',
].concat(
  ']]>',
  '</value></metric></metrics>',
  '<metrics>',
  '&',
  '&lt;',
  '&#0;',
  "'",
  '"',
  '<',
  '>',
  '<!--',
  '-->',
  '\u{1f600}',
);
const XML = [
  "<metric type='int32' context='host'>",
  '<metric type="string" context="vm" id="9" uuid="x" unit="s">',
  '</metric>',
]
  .concat(
    '<name>N</name>',
    '<name>&#10;</name>',
    '<value>1</value>',
    '<value>a</value>',
    '<value/>',
    '<value>',
    '</value>',
    '<name>',
  )
  .concat(
    "<metric type='string' context='host' unit='&#9;&#x27;'><name>A&amp;B</name><value>&#x1F600;]]&gt;</value></metric>",
  )
  .concat(
    "<metric type='real64' context='host'><name>R</name><value>1.5</value></metric>",
    '</name>',
    '<![CDATA[x]]>',
    '<?a?>',
  );

const fragments = joined([...NUMBERS, ...TEXTS, ...XML], 12);
const metricElement = fc
  .tuple(
    fc.constantFrom(...VALUE_TYPES),
    fc.constantFrom('host', 'vm'),
    joined(TEXTS, 3),
    joined(TEXTS.concat(NUMBERS), 3),
  )
  .map(([type, context, name, value]) => {
    const [n, v] = [name, value].map((text) => text.replace(/[<&]|]]>/g, '&lt;'));
    return `<metric type='${type}' context='${context}'><name>${n}x</name><value>${v}</value></metric>`;
  });
const output = fc.oneof(
  joined(NUMBERS, 6),
  joined(NUMBERS, 2),
  joined(TEXTS, 8),
  fc.array(fc.oneof(metricElement, fc.constantFrom(...XML, '\n')), { maxLength: 4 }).map((parts) => parts.join('')),
  fragments,
);
const bytes = fc.oneof(
  { weight: 8, arbitrary: output.map((text) => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(output, fc.uint8Array({ maxLength: 6 }))
      .map(([text, noise]) => Buffer.concat([Buffer.from(text), noise])),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
);

const NAMES = ['Name', "N'", '<&">', '\u00fc \u{1f600}', 'a\tb', '\u0001x'];
const metric = fc
  .tuple(
    fc.constantFrom<MetricType>(...VALUE_TYPES, 'group', 'xml', 'xml'),
    fc.constantFrom(...NAMES),
    fc.constantFrom(undefined, 's', "'>&"),
  )
  .map(([type, name, unit]): MetricDefinition => {
    const variables = (['int32', 'real64', 'string'] as const)
      .slice(0, 1 + (name.length % 3))
      .map((kind) => ({ name: kind, type: kind }));
    return actionMetric('', {
      type,
      name,
      variables: type === 'group' ? variables : [],
      ...(unit === undefined ? {} : { unit }),
    });
  });

const BITS: Readonly<Partial<Record<ValueType, readonly [bigint, bigint]>>> = {
  int32: [-2147483648n, 2147483647n],
  uint32: [0n, 4294967295n],
  int64: [-9223372036854775808n, 9223372036854775807n],
  uint64: [0n, 18446744073709551615n],
};

/** Tests the lexical form that C's strtol and strtod, Go's strconv and XML Schema have in common. */
const isOf = (type: ValueType, value: string): boolean => {
  if (type === 'string') return value.trim() !== '' && value === value.trim();
  const range = BITS[type];
  if (range !== undefined)
    return (
      /^[+-]?[0-9]+$/.test(value) &&
      BigInt(value.replace('+', '')) >= range[0] &&
      BigInt(value.replace('+', '')) <= range[1]
    );
  const most = type === 'real32' ? 3.4028235677973366e38 : Number.MAX_VALUE;
  return /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(value) && Math.abs(Number(value)) <= most;
};

interface Published {
  readonly type: string | undefined;
  readonly unit: string | undefined;
  readonly name: string;
  readonly value: string;
}

/** Returns the metrics that libxml2 finds in a document; throws if it is not well-formed. */
const read = (xml: string): readonly Published[] => {
  const parsed = XmlDocument.fromString(xml, { option: ParseOption.XML_PARSE_NONET });
  try {
    return (parsed.root.find('metric') as unknown as readonly XmlElement[]).map((element) => ({
      type: element.attr('type')?.value,
      unit: element.attr('unit')?.value,
      name: element.get('name')?.content ?? '',
      value: element.get('value')?.content ?? '',
    }));
  } finally {
    parsed.dispose();
  }
};

it(
  'FAULTS 11-13, 15-18: of any output of any action only valid values are published, as XML in ASCII',
  { timeout: TIMEOUT },
  () => {
    const published = new Map<string, number>();
    const given = fc.array(fc.tuple(metric, bytes), { minLength: BATCH, maxLength: BATCH });
    fuzz(
      'action output',
      given,
      (cases) => {
        const samples = cases.flatMap(([definition, printed]): readonly Sample[] => {
          const outcome = readOutput(definition, decodeOutput(printed));
          if (!outcome.ok && !/^[ -~]+$/.test(outcome.reason)) expect.fail(JSON.stringify(outcome.reason));
          const count = outcome.ok ? outcome.samples.length : 0;
          if (count > 0) published.set(definition.type, (published.get(definition.type) ?? 0) + 1);
          const due = definition.type === 'xml' || !outcome.ok ? count : Math.max(1, definition.variables.length);
          if (count !== due) expect.fail(`${count} values of ${definition.type}`);
          return outcome.ok ? outcome.samples : [];
        });
        for (const { type, value } of samples)
          if (!isOf(type, value)) expect.fail(`${JSON.stringify(value)} is no ${type}`);
        const xml = document(metricsXml(snapshot(1, samples)));
        expect(xml).toMatch(/^<metrics>\n(?:[ -~]+\n)*<\/metrics>\n$/);
        const found = read(xml);
        expect(found).toHaveLength(samples.length);
        for (const [index, { type, name, value, unit }] of found.entries()) {
          const given = samples[index];
          // `expect` is slow, so it is called only for differences.
          const same = type === given?.type && value === given?.value && unit === given?.unit;
          if (!same || name !== given?.name.replaceAll('\u0001', ''))
            expect({ type, name, value, unit }).toEqual(given);
        }
      },
      BATCH,
    );
    for (const type of [...VALUE_TYPES, 'group', 'xml']) expect(published.get(type), type).toBeGreaterThan(0);
  },
);
