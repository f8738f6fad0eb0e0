import { describe, expect, it } from 'vitest';

import { configOf, errorsOf, fileOf, marked, markedFile, metric, warningsOf } from './build.ts';
import type { Parts } from './build.ts';

describe('FAULTS 3: what the grammar does not know is named, with what is allowed and what was meant', () => {
  it.each([
    [
      markedFile({ path: '<path>/bin</path>\n¦<pathes/>' }),
      /Unknown element <pathes> in <globals>.*disk\?.*did you mean <path>\?/,
    ],
    [
      markedFile({ metrics: '¦<metrik period="0"/>' }),
      /Unknown element <metrik> in <metrics>.*did you mean <metric>\?/,
    ],
    [markedFile({ metrics: '¦<disk><what/></disk>' }), /Unknown element <disk> in <metrics>/],
    [marked('¦<vhostmt/>'), /Unknown root element <vhostmt>: expected <vhostmd>/],
    [
      markedFile({ metrics: metric('<name>a</name><action>b</action>', 'type="string" context="host" ¦timeuot="1"') }),
      /Unknown attribute "timeuot" on <metric>: expected type, context, cnt, unit, timeout, period; did you mean "timeout"\?/,
    ],
    [markedFile({ period: '<update_period ¦unit="s">5</update_period>' }), /takes no attributes/],
    [
      markedFile({ metrics: metric('<name>a</name><action>b</action>', 'type="¦uint46" context="host"') }),
      /Unknown type "uint46".*int32, .*did you mean "uint64"\?/,
    ],
    [
      markedFile({ metrics: metric('<name>a</name><action>b</action>', 'type="string" context="¦guest"') }),
      /Unknown context "guest".*host, vm$/,
    ],
    [
      markedFile({ metrics: '¦<metric context="vm"><name>a</name><action>b</action></metric>' }),
      /lacks the attribute type, one of int32, uint32, /,
    ],
    [
      markedFile({ transports: '<transport>\n ¦vdb</transport><transport>vbd</transport>' }),
      /Unknown transport "vdb": expected one of vbd, virtio; did you mean "vbd"\?/,
    ],
    [
      markedFile({ transports: '<transport>vbd</transport><transport>¦XenStored</transport>' }),
      /xenstore is not supported; remove/,
    ],
    [
      markedFile({ transports: '<transport>vbd</transport>\n¦<path>/bin</path>' }),
      /Repeated <path> in <globals>: <path> may occur only once/,
    ],
    [
      markedFile({ period: '', transports: '<transport>vbd</transport>\n¦<update_period>5</update_period>' }),
      /<update_period> must come before <path> \(line 6\)$/,
    ],
    [marked(fileOf({ path: '' }).replace('<globals>', '¦<globals>')), /<globals> lacks <path>/],
    [markedFile({ metrics: `¦${metric('<name>a</name>')}` }), /<metric> lacks <action> or <stat>/],
    [
      markedFile({ metrics: metric('<name>a</name><action>b</action>¦<stat>host.time</stat>') }),
      /Repeated <stat> in <metric>: <action> or <stat> may occur only once/,
    ],
    [markedFile({ metrics: metric('<name>a</name> ¦text<action>b</action>') }), /Unexpected text in <metric>/],
    [
      markedFile({ metrics: metric('<name>a¦<b/></name><action>b</action>') }),
      /Unexpected element <b> in <name>, which holds text only/,
    ],
  ])('with its place and a hint (case %#)', ({ text, place }, message) => {
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });

  const sink = '<sink type="log"/>';
  it.each<[string, Parts, RegExp]>([
    [
      'an addition too early',
      { transports: `<transport>vbd</transport>\n¦${sink}\n<transport>virtio</transport>` },
      /<sink> must come after the last <transport> \(line 9\)$/,
    ],
    [
      'an addition in front of all',
      { disk: `¦${sink}\n<disk><name>d</name><path>/d</path><size unit="k">64</size></disk>` },
      /<sink> must come after <transport> \(line 8\)$/,
    ],
    [
      'an addition behind a later one',
      { additions: `${sink}\n${sink}\n¦<action_timeout>1</action_timeout>` },
      /<action_timeout> must come before the first <sink> \(line 8\)$/,
    ],
    [
      '<disk> at the end',
      { disk: '', additions: '¦<disk><name>d</name><path>/d</path><size unit="k">64</size></disk>' },
      /<disk> must come before <update_period> \(line 5\)$/,
    ],
    [
      '<virtio> in front of <disk>',
      {
        disk: '¦<virtio/>\n<disk><name>d</name><path>/d</path><size unit="k">64</size></disk>',
        transports: '<transport>virtio</transport><transport>vbd</transport>',
      },
      /<virtio> must come after <disk> \(line 4\)$/,
    ],
    [
      'a second <virtio> at the end',
      { virtio: '<virtio/>', additions: '¦<virtio/>' },
      /<virtio> must come before <update_period> \(line 5\)$/,
    ],
    [
      'parts of a disk',
      { disk: '<disk>¦<path>/d</path>\n<name>d</name>\n<size unit="k">64</size></disk>' },
      /<path> must come after <name> \(line 4\)$/,
    ],
    [
      'limits of channels',
      { virtio: '<virtio>¦<expiration_time>9</expiration_time>\n<max_channels>9</max_channels></virtio>' },
      /<expiration_time> must come after <max_channels> \(line 5\)$/,
    ],
    [
      'a variable in front of its name',
      {
        metrics: metric(
          '¦<variable name="a" type="int32"/>\n<name>g</name><action>x</action><variable name="b" type="int32"/>',
          'type="group" context="host"',
        ),
      },
      /<variable> must come after <action> \(line 12\)$/,
    ],
    [
      'a statistic in front of its name',
      { metrics: metric('¦<stat>host.time</stat>\n<name>a</name>') },
      /<stat> must come after <name> \(line 12\)$/,
    ],
  ])('CASE E7: what is out of order is named, with where it belongs: %s', (_what, parts, message) => {
    const { text, place } = markedFile(parts);
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });

  it('CASE E7: the whole document in the wrong order is one mistake', () => {
    const [, globals = '', metrics = ''] =
      /(<globals>[^]*<\/globals>\n)(<metrics>[^]*<\/metrics>\n)/.exec(fileOf()) ?? [];
    expect(errorsOf(`<vhostmd>\n${metrics}${globals}</vhostmd>`)).toEqual([
      'f:2:1: <metrics> must come after <globals> (line 5)',
    ]);
  });

  it('CASE E7: of several additions that stand too early each is named, and no innocent element', () => {
    const additions = `<action_timeout>2</action_timeout>\n${sink}\n${sink}`;
    expect(errorsOf(fileOf({ path: `${additions}\n<path>/bin</path>` }))).toEqual([
      'f:6:1: <action_timeout> must come after <transport> (line 10)',
      'f:7:1: <sink> must come after <transport> (line 10)',
      'f:8:1: <sink> must come after <transport> (line 10)',
    ]);
  });

  it('and several mistakes are reported at once, in the order of the file', () => {
    const text = fileOf({
      period: '<update_period>x</update_period>',
      transports: '<transport>y</transport>',
      metrics: '<z/>',
    });
    expect(errorsOf(text).map((error) => error.split(':')[1])).toEqual(['5', '7', '11']);
  });

  it('and of very many the first 20 are reported, and their number', () => {
    const errors = errorsOf(fileOf({ metrics: '<z/>\n'.repeat(1000) }));
    expect(errors).toHaveLength(21);
    expect(errors[20]).toMatch(/And 980 more from here on/);
  });
});

describe('FAULTS 4: numbers are digits only and within their range', () => {
  it.each(['5abc', '0', '-1', '+5', '1e3', '4294967301', '5.0', '0x5', '', '5 5', '٣', '86401'])('not %j', (number) => {
    const shown = number === '' ? '¦<update_period>' : '<update_period>¦';
    const { text, place } = markedFile({ period: `${shown}${number}</update_period>` });
    expect(errorsOf(text)).toEqual([
      `${place}<update_period> must be a whole number (digits only) of seconds from 1 to 86400, found ${JSON.stringify(number)}`,
    ]);
  });

  it.each([
    ['virtio', '<virtio><max_channels>¦0</max_channels></virtio>', /of channels from 1 to 65535/],
    ['virtio', '<virtio><expiration_time>¦1s</expiration_time></virtio>', /seconds from 1/],
    ['additions', '<action_timeout>¦-1</action_timeout>', /from 1 to 86400/],
    ['additions', '<max_parallel_actions>¦1025</max_parallel_actions>', /of actions from 1 to 1024/],
    [
      'metrics',
      metric('<name>a</name><action>b</action>', 'type="string" context="host" timeout="¦0"'),
      /timeout of <metric> must be a whole number \(digits only\) of seconds from 1/,
    ],
    [
      'metrics',
      metric('<name>a</name><action>b</action>', 'type="string" context="host" period="¦5abc"'),
      /period of <metric>/,
    ],
  ])('in %s: %s', (part, input, message) => {
    const { text, place } = markedFile({ [part]: input });
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });

  it('and white space around them is allowed', () => {
    expect(configOf(fileOf({ period: '<update_period>\n 7 \n\t</update_period>' })).updatePeriod).toBe(7000);
  });
});

describe('FAULTS 5: the size of the disk', () => {
  const disk = (size: string): string => `<disk><name>d</name><path>/d</path>${size}</disk>`;

  it.each([
    ['<size unit="k">1</size>', 65_536, 1],
    ['<size unit="K">100</size>', 131_072, 1],
    ['<size unit="KiB">256</size>', 262_144, 0],
    ['<size unit="m">1</size>', 1_048_576, 0],
    ['<size unit="M">256</size>', 268_435_456, 0],
    ['<size unit="MiB">2</size>', 2_097_152, 0],
  ])('%s is %i bytes', (size, bytes, warnings) => {
    const text = fileOf({ disk: disk(size) });
    expect(configOf(text).disk?.size).toBe(bytes);
    expect(warningsOf(text)).toHaveLength(warnings);
  });

  it('is rounded up, with a warning that has the new size', () => {
    const { text, place } = markedFile({ disk: disk('<size unit="k">¦100</size>') });
    expect(warningsOf(text)).toEqual([
      `${place}Size 100 KiB is rounded up to 128 KiB: guests read whole blocks of 64 KiB`,
    ]);
  });

  it.each([
    ['<size unit="M">¦257</size>', /MiB from 1 to 256, found "257"/],
    ['<size unit="k">¦262145</size>', /KiB from 1 to 262144/],
    ['<size unit="k">¦0</size>', /from 1/],
    ['<size unit="¦">256</size>', /Unknown unit "" of <size>: expected one of k, K, KiB, m, M, MiB/],
    ['<size unit="¦g">1</size>', /Unknown unit "g"/],
    ['¦<size>256</size>', /lacks the attribute unit$/],
  ])('%s is refused', (size, message) => {
    const { text, place } = markedFile({ disk: disk(size) });
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });
});

describe('FAULTS 7: duplicate metrics', () => {
  const same = metric('<name>A</name><action>b</action>');

  it('are both kept, with a warning at the second', () => {
    const { text, place } = markedFile({ metrics: `${same}\n¦${same}` });
    expect(configOf(text).metrics.map(({ index, name }) => [index, name])).toEqual([
      [0, 'A'],
      [1, 'A'],
    ]);
    expect(warningsOf(text)).toEqual([
      expect.stringMatching(
        /Metric "A" of context host is already defined in line 11; both are published, .* may find either$/,
      ),
    ]);
    expect(warningsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });

  it('are looked for among the variables of groups too', () => {
    const group =
      '<metric type="group" context="host"><name>A</name><action>b</action><variable name="A" type="int32"/></metric>';
    expect(warningsOf(fileOf({ metrics: same + group }))).toHaveLength(1);
  });

  it('are none if the contexts differ, or a metric of several values only bears the name', () => {
    const xml = same.replace('string', 'xml');
    const other = same.replace('host', 'vm');
    const group =
      '<metric type="group" context="host"><name>A</name><action>b</action><variable name="B" type="int32"/></metric>';
    expect(warningsOf(fileOf({ metrics: same + other + group + xml + xml }))).toEqual([]);
  });
});

describe('FAULTS 8: names with special characters', () => {
  it('are decoded; sinks escape them', () => {
    const text = fileOf({
      metrics: metric(
        '<name>&lt;a b=&quot;&#39;&amp;"&gt;</name><action>b</action>',
        'type="string" context="host" unit="&lt;&amp;&quot;\'"',
      ),
    });
    expect(configOf(text).metrics[0]).toMatchObject({ name: '<a b="\'&">', unit: '<&"\'' });
  });

  it.each([
    [
      '<name>¦a&#10;b</name><action>b</action>',
      'type="string" context="host"',
      /<name> contains a control character.*"a\\nb"/,
    ],
    ['<name>¦a\tb</name><action>b</action>', 'type="string" context="host"', /<name> contains a control character/],
    ['<name>¦a\u0085b</name><action>b</action>', 'type="string" context="host"', /"a\\u0085b"/],
    ['<name>¦a\u007Fb</name><action>b</action>', 'type="string" context="host"', /control character/],
    ['¦<name> \n</name><action>b</action>', 'type="string" context="host"', /<name> is empty/],
    [
      '<name>a</name><action>b</action>',
      'type="string" context="host" unit="¦a&#9;b"',
      /unit of <metric> contains a control/,
    ],
    [
      '<name>a</name><action>b</action><variable name="¦a&#10;b" type="int32"/>',
      'type="group" context="host"',
      /name of <variable> contains a control/,
    ],
  ])('%j with %s is refused', (inside, attributes, message) => {
    const { text, place } = markedFile({ metrics: metric(inside, attributes) });
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });
});
