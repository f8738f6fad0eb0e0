import { describe, expect, it } from 'vitest';

import { document, metricsXml } from '../../src/model/metrics-xml.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/index.ts';
import { parseDocument } from '../../src/client/watch-document.ts';

describe('a document of metrics', () => {
  it('is sorted by domain, and its text is decoded', () => {
    const name = 'a <b> & \u001b[31m \u00fc \'"';
    const written = snapshot(
      0,
      [sample(name, '1 < 2')],
      [
        ofDomain(1, sample('A', 'x'), { name: 'B', type: 'uint64', value: '5', unit: 'MiB' }),
        ofDomain(2, sample('A', 'y')),
      ],
    );
    expect(parseDocument(document(metricsXml(written)))).toEqual({
      // The document lacks characters that XML does not allow.
      host: [expect.objectContaining({ name: name.replace('\u001b', ''), type: 'string', value: '1 < 2' })],
      vms: [
        {
          id: '1',
          uuid: '6be3fdb8-bef5-6fec-b1b7-000000000001',
          metrics: [
            expect.objectContaining({ name: 'A', value: 'x' }),
            expect.objectContaining({ name: 'B', type: 'uint64', value: '5', unit: 'MiB' }),
          ],
        },
        {
          id: '2',
          uuid: '6be3fdb8-bef5-6fec-b1b7-000000000002',
          metrics: [expect.objectContaining({ name: 'A', value: 'y' })],
        },
      ],
    });
  });

  it('may be written in any other way that XML allows', () => {
    const { host, vms } = parseDocument(
      `<metrics><!-- C --><metric context="vm" uuid="u" id='7' type="real64"><name>N</name><value><![CDATA[1]]></value></metric></metrics>`,
    );
    expect(host).toEqual([]);
    expect(vms).toMatchObject([{ id: '7', uuid: 'u', metrics: [{ name: 'N', type: 'real64' }] }]);
  });

  it('may be empty', () => {
    expect(parseDocument('<metrics>\n</metrics>\n')).toEqual({ host: [], vms: [] });
  });

  it.each([
    ['cut off', "<metrics>\n  <metric type='int32' context='host'>\n    <name>A</name>"],
    ['something else', 'hello'],
    ['empty', ''],
    ['two', '<metrics></metrics><metrics></metrics>'],
  ])('that is %s is refused', (_what, xml) => {
    expect(() => parseDocument(xml)).toThrow();
  });
});
