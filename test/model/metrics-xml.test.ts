import { XMLParser, XMLValidator } from 'fast-xml-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { document, domainXml, escapeXml, metricsXml } from '../../src/model/metrics-xml.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';

const xmlOf = (value: string, name = 'A'): string => document(metricsXml(snapshot(1, [sample(name, value)])));
const valueIn = (xml: string): string | undefined => /<value>([^]*)<\/value>/.exec(xml)?.[1];

describe('the XML of a snapshot', () => {
  it('is the document that readers expect, byte for byte', () => {
    const host = [
      { name: 'Time', type: 'uint64', value: '7' },
      { name: 'TotalCPUTime', type: 'real64', value: '846.600000' },
    ] as const;
    const domain = { id: 2, uuid: '6be3fdb8-bef5-6fec-b1b7-e61bbceab708', name: 'x' };
    const samples = [{ name: 'TotalCPUTime', type: 'real64', value: '69.400000', unit: 's' } as const];
    expect(document(metricsXml(snapshot(1, host, [{ domain, samples }])))).toBe(`<metrics>
  <metric type='uint64' context='host'>
    <name>Time</name>
    <value>7</value>
  </metric>
  <metric type='real64' context='host'>
    <name>TotalCPUTime</name>
    <value>846.600000</value>
  </metric>
  <metric type='real64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='s'>
    <name>TotalCPUTime</name>
    <value>69.400000</value>
  </metric>
</metrics>
`);
  });

  it('without metrics is two lines', () => {
    expect(document(metricsXml(snapshot(1, [])))).toBe('<metrics>\n</metrics>\n');
  });

  it('counts the metrics of each part, and leaves domains without any out', () => {
    const parts = metricsXml(
      snapshot(
        1,
        [sample('A', '1'), sample('B', '\u0001')],
        [ofDomain(1), ofDomain(2, sample('C', '2'), sample('D', '3'))],
      ),
    );
    expect(parts.hostCount).toBe(1);
    expect(parts.domainMetrics.map(({ domain, count }) => [domain.id, count])).toEqual([[2, 2]]);
  });

  it('FAULTS 8: names and units with markup and quotes are escaped', () => {
    const xml = document(metricsXml(snapshot(1, [{ name: `a<&'">b`, type: 'string', value: 'v', unit: `'>"<&` }])));
    expect(xml).toContain('<name>a&lt;&amp;&apos;&quot;&gt;b</name>');
    expect(xml).toContain(" unit='&apos;&gt;&quot;&lt;&amp;'>");
    expect(XMLValidator.validate(xml)).toBe(true);
  });

  it('FAULTS 13: a value cannot close its element, nor a CDATA section', () => {
    const xml = xmlOf(']]></value></metric></metrics>');
    expect(valueIn(xml)).toBe(']]&gt;&lt;/value&gt;&lt;/metric&gt;&lt;/metrics&gt;');
  });

  it('FAULTS 12: characters that XML 1.0 does not allow are dropped', () => {
    const text = 'a\u0000\u001b[1m\u001fb\ufffe\uffff';
    expect(valueIn(xmlOf(text))).toBe('a[1mb');
    expect(escapeXml(text)).toBe('a[1mb');
  });

  it('a value that is empty without them is not published, nor is one of white space', () => {
    for (const value of ['\u0000\u001f', '', ' ', '\n\t', ' \u0001 ']) {
      expect(xmlOf(value)).toBe('<metrics>\n</metrics>\n');
    }
    expect(xmlOf('v', '\u0007')).toBe('<metrics>\n</metrics>\n');
  });

  it('a unit that is empty without them is left out', () => {
    const xml = document(metricsXml(snapshot(1, [{ name: 'A', type: 'string', value: 'v', unit: '\u0001' }])));
    expect(xml).toContain("<metric type='string' context='host'>");
  });

  it('values are trimmed, and their line breaks become references, so that no line is blank', () => {
    expect(valueIn(xmlOf(' a\n\r\n\nb\tc \n'))).toBe('a&#xA;&#xD;&#xA;&#xA;b&#x9;c');
  });

  it('has one reference for each character that is not ASCII', () => {
    expect(escapeXml('ä\u007f\u0085\u2028😀~')).toBe('&#xE4;&#x7F;&#x85;&#x2028;&#x1F600;~');
  });

  it('a lone surrogate becomes the replacement character', () => {
    expect(escapeXml('a\ud800b\udfff')).toBe('a&#xFFFD;b&#xFFFD;');
  });

  it('of any text is printable ASCII in LF lines, none blank, and gives the text back', () => {
    const parser = new XMLParser({ parseTagValue: false, processEntities: false, trimValues: false });
    const text = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (value) => {
        const xml = xmlOf(`|${value}|`);
        expect(xml).toMatch(/^<metrics>\n(?: *[!-~][ -~]*\n)+$/);
        const found = parser.parse(xml) as { metrics: { metric: { value: string } } };
        const decoded = found.metrics.metric.value
          .replace(/&#x([0-9A-F]+);/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
          .replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
          .replaceAll('&apos;', "'")
          .replaceAll('&quot;', '"')
          .replaceAll('&amp;', '&');
        // oxlint-disable-next-line no-control-regex
        const allowed = value.replace(/\p{Cs}/gu, '\ufffd').replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '');
        expect(decoded).toBe(`|${allowed}|`);
      }),
    );
  });

  it('is made once: parts that are the same objects keep their XML, for all sinks and snapshots', () => {
    const host = [sample('A', '1')];
    const [one, two] = [ofDomain(1, sample('B', '2')), ofDomain(2, sample('C', '3'))];
    const first = snapshot(1, host, [one, two]);
    const second = snapshot(2, host, [one, ofDomain(2, sample('C', '4'))]);
    expect(metricsXml(first)).toBe(metricsXml(first));
    expect(metricsXml(second).domainMetrics[0]).toBe(metricsXml(first).domainMetrics[0]);
    expect(metricsXml(second).domainMetrics[1]?.xml).toContain('<value>4</value>');
  });

  it('has the domains of its own snapshot, whatever came, went or changed since the last one', () => {
    // Few domains, so that lists often begin or end alike.
    const domains = [1, 2, 3].map((id) => [ofDomain(id), ofDomain(id, sample('A', 'old'))]);
    const present = fc.tuple(...domains.map((versions) => fc.option(fc.constantFrom(...versions), { nil: undefined })));
    fc.assert(
      fc.property(fc.array(present, { minLength: 2 }), (lists) => {
        for (const list of lists) {
          const domainMetrics = list.filter((one) => one !== undefined);
          const withValues = domainMetrics.filter(({ samples }) => samples.length > 0).map(domainXml);
          const made = metricsXml(snapshot(1, [], domainMetrics));
          expect(made.domainMetrics).toEqual(withValues);
          expect(document(made)).toBe(`<metrics>\n${withValues.map(({ xml }) => xml).join('')}</metrics>\n`);
        }
      }),
    );
  });
});
