import { describe, expect, it } from 'vitest';

import type { Context, Outcome } from '../../../src/model/metric.ts';
import { readOutput } from '../../../src/sources/action/output.ts';
import { actionMetric } from './requests.ts';

const read = (output: string, context: Context = 'vm'): Outcome =>
  readOutput(actionMetric('true', { type: 'xml', context }), output);
const reason = (output: string, context: Context = 'vm'): string => {
  const outcome = read(output, context);
  return outcome.ok ? `accepted: ${JSON.stringify(outcome.samples)}` : outcome.reason;
};
const metric = (value: string, attributes = "type='string' context='vm'"): string =>
  `<metric ${attributes}><name>A</name><value>${value}</value></metric>`;

describe('the output of an xml metric', () => {
  it('is a sequence of metrics', () => {
    const output = `
      <metric type='real64' context='vm' id='2' uuid='6be3fdb8-bef5-6fec-b1b7-e61bbceab708' unit='s'>
        <name> TotalCPUTime </name>
        <value>69.400000</value>
      </metric>
      <metric context="vm" type="uint32"><name>N</name><value> 3.0 </value></metric >`;
    expect(read(output)).toEqual({
      ok: true,
      samples: [
        { name: 'TotalCPUTime', type: 'real64', unit: 's', value: '69.400000' },
        { name: 'N', type: 'uint32', value: '3' },
      ],
    });
    expect(reason(metric('1', "type='int32' context='host'"), 'host')).toContain('accepted');
  });

  it("FAULTS 18: never takes over a VM's id, uuid or context: in context vm they are dropped", () => {
    const foreign = metric('1', "type='int32' context='host' id='99' uuid='00000000-0000-0000-0000-000000000001'");
    expect(read(foreign)).toEqual({ ok: true, samples: [{ name: 'A', type: 'int32', value: '1' }] });
  });

  it('FAULTS 18: for a VM is refused whole in context host, and the reason says what to do', () => {
    expect(reason(metric('1', "type='int32' context='host'") + metric('2'), 'host')).toBe(
      "a value for a VM; give the metric context='vm', then the action runs for each VM",
    );
  });

  it.each([
    ['an injected closing tag', `${metric('1')}</metrics><metrics>${metric('2')}`],
    ['a closing tag in a value', metric('1</value></metric></metrics><metrics><metric><value>')],
    ['a lone closing tag', `</metrics>${metric('1')}`],
    ['a comment', `<!-- x -->${metric('1')}`],
    ['a comment in a value', metric('1<!---->2')],
    ['a processing instruction', `<?php echo?>${metric('1')}`],
    ['an XML declaration that is not in front', `${metric('1')}<?xml version='1.0'?>`],
    ['two XML declarations', `<?xml version='1.0'?><?xml version='1.0'?>${metric('1')}`],
    ['a DOCTYPE behind the declaration', `<?xml version='1.0'?><!DOCTYPE metric>${metric('1')}`],
    ['a declaration of another name', `<?xml-stylesheet version='1.0'?>${metric('1')}`],
    ['a processing instruction in an attribute', metric('1', "type='string' context='vm' unit='<?x'")],
    ['CDATA', metric('<![CDATA[1]]>')],
    ['a DOCTYPE', `<!DOCTYPE metric [<!ENTITY e "x">]>${metric('&e;')}`],
    ['an undeclared entity', metric('&nbsp;')],
    ['an open reference', metric('&#65')],
    ['a reference to NUL', metric('&#0;')],
    ['a reference to a surrogate', metric('&#xD800;')],
    ['a reference beyond Unicode', metric('&#x110000;')],
    ['1,000 levels', `${'<metric>'.repeat(1000)}${'</metric>'.repeat(1000)}`],
    ['nesting', metric(metric('1'))],
    ['an element in a name', "<metric type='string' context='vm'><name>A<b/></name><value>1</value></metric>"],
    ['another element', `<metrics>${metric('1')}</metrics>`],
    ['a third child', "<metric type='string' context='vm'><name>A</name><value>1</value><x/></metric>"],
    ['two values', "<metric type='string' context='vm'><name>A</name><value>1</value><value>2</value></metric>"],
    ['value before name', "<metric type='string' context='vm'><value>1</value><name>A</name></metric>"],
    ['no value', "<metric type='string' context='vm'><name>A</name></metric>"],
    ['an attribute of a value', "<metric type='string' context='vm'><name>A</name><value x='1'>1</value></metric>"],
    ['text between', `${metric('1')} and ${metric('2')}`],
    ['text in a metric', "<metric type='string' context='vm'>x<name>A</name><value>1</value></metric>"],
    ['only text', 'error: failed to connect'],
    ['an unknown attribute', metric('1', "type='string' context='vm' foo='1'")],
    ['an attribute twice', metric('1', "type='string' type='int32' context='vm'")],
    ['an attribute without quotes', metric('1', 'type=string context=vm')],
    ['an unknown type', metric('1', "type='group' context='vm'")],
    ['no type', metric('1', "context='vm'")],
    ['an unknown context', metric('1', "type='string' context='all'")],
    ['a property of objects as an element', '<__proto__/><constructor/>'],
    ['a property of objects as an attribute', metric('1', "type='string' context='vm' __proto__='1'")],
    ['an empty name', "<metric type='string' context='vm'><name> </name><value>1</value></metric>"],
    ['an empty value', metric(' ')],
    ['a value that does not fit its type', metric('NaN', "type='int32' context='vm'")],
    ['an unclosed tag', '<metric type="string" context="vm"><name>A</name><value>1</value>'],
    ['64 KiB of open tags', '<metric>'.repeat(8000)],
    ['64 KiB of angle brackets', '<'.repeat(65_000)],
  ])('FAULTS 18: is refused whole with %s', (_what, output) => {
    expect(reason(`${metric('good')}${output}`)).not.toContain('accepted');
    expect(reason(output)).not.toContain('accepted');
    expect(reason(output)).toMatch(/^[ -~]{8,250}$/);
  });

  it('has the references of XML resolved, once', () => {
    const output = metric('&lt;b&gt; &amp;amp; &#65;&#x42; &quot;&apos;', "type='string' context='vm' unit='&lt;s'");
    expect(read(output)).toEqual({
      ok: true,
      samples: [{ name: 'A', type: 'string', unit: '<s', value: '<b> &amp; AB "\'' }],
    });
  });

  it('FAULTS 12: loses ESC, NUL and 0x1F', () => {
    expect(read(metric('a\u001b\u0000b\u001f'))).toEqual({
      ok: true,
      samples: [{ name: 'A', type: 'string', value: 'ab' }],
    });
  });

  it.each([
    ['', '<?xml version="1.0" encoding="UTF-8"?>\n'],
    ['of one quote and no encoding', "<?xml version='1.0' ?>"],
    ['behind a blank line', '\n<?xml  version = "1.1" standalone="yes"?>\n\n'],
  ])('CASE B6: is taken with an XML declaration in front %s', (_what, declaration) => {
    expect(read(`${declaration}${metric('5', "type='int32' context='vm'")}`)).toEqual({
      ok: true,
      samples: [{ name: 'A', type: 'int32', value: '5' }],
    });
  });

  it('CASE B6: has its numbers without the units behind them, with a note', () => {
    expect(read(metric('1') + metric('2.5s', "type='real64' context='vm'"))).toEqual({
      ok: true,
      samples: [
        { name: 'A', type: 'string', value: '1' },
        { name: 'A', type: 'real64', value: '2.5' },
      ],
      note: expect.stringContaining('printed "s" behind the number 2.5'),
    });
  });

  it('names the line that is not well-formed', () => {
    expect(reason(`${metric('1')}\n<metric`)).toMatch(/^not well-formed XML/);
    expect(reason(`${metric('1')}\n${metric('1</name>')}`)).toContain('line 2');
  });
});
