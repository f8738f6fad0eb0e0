import { describe, expect, it } from 'vitest';

import { channelPathOf, devicesReader } from '../../../src/sources/libvirt/domain-xml.ts';

const channel = (
  path = '/run/libvirt/qemu/channel/1-a/org.github.vhostmd.1',
  name = 'org.github.vhostmd.1',
  type = 'virtio',
) => `<channel type='unix'>
      <source mode='bind' path='${path}'/>
      <target type='${type}' name='${name}' state='disconnected'/>
      <alias name='channel0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>`;
const domain = (devices: string, more = ''): string =>
  `<domain type='kvm' id='1' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>a</name>
  ${more}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${devices}
  </devices>
</domain>\n`;

describe('channelPathOf', () => {
  it('is the socket of the channel with the name of the metrics', () => {
    const others = channel('/other', 'org.qemu.guest_agent.0');
    expect(channelPathOf(domain(others + channel('/run/socket') + others))).toBe('/run/socket');
  });

  it('resolves references in the path', () => {
    expect(channelPathOf(domain(channel('/a &amp; b/&lt;&quot;&apos;&#10;&#x41;&amp;lt;')))).toBe('/a & b/<"\'\nA&lt;');
  });

  it('keeps blanks of the path', () => {
    expect(channelPathOf(domain(channel(' /a  b ')))).toBe(' /a  b ');
  });

  it('takes either kind of quotes, and attributes in any order', () => {
    const xml = `<channel type="unix"><target name="org.github.vhostmd.1" type="virtio"/><source path="/it's" mode="bind"/></channel>`;
    expect(channelPathOf(domain(xml))).toBe("/it's");
  });

  it.each([
    ['of another name', domain(channel('/p', 'org.github.vhostmd.10'))],
    ['of another type of target', domain(channel('/p', 'org.github.vhostmd.1', 'xen'))],
    ['without a source', domain("<channel type='unix'><target type='virtio' name='org.github.vhostmd.1'/></channel>")],
    ['without a path', domain(channel(''))],
    ['that is a terminal', domain(channel('/dev/pts/1').replace("'unix'", "'pty'"))],
    ['where QEMU does not listen', domain(channel('/p').replace("'bind'", "'connect'"))],
    ['of another kind of device', domain(channel().replaceAll('channel', 'serial'))],
    ['outside of the devices', domain('', channel())],
    ['inside of another device', domain(`<hostdev>${channel()}</hostdev><other>${channel()}</other>`)],
    ['in a comment of another device', domain(`<disk><!-- </disk>${channel()} --></disk>`)],
    ['in a comment', domain(`<!-- ${channel()} -->`)],
    ['in metadata', domain('', `<metadata>${channel()}</metadata>`)],
    ['in metadata, as a domain', domain('', `<metadata>${domain(channel())}</metadata>`)],
    ['in metadata, of a namespace', domain('', `<metadata><x:a xmlns:x='x'>${channel()}</x:a></metadata>`)],
    [
      'in metadata behind a look-alike of its end',
      domain(
        '',
        `<metadata><a><![CDATA[</metadata></a>]]><!-- </metadata> --><devices>${channel()}</devices></a></metadata>`,
      ),
    ],
    ['in a text', domain('', `<description>${channel().replaceAll('<', '&lt;')}</description>`)],
  ])('is nothing for a channel %s', (_what, xml) => {
    expect(channelPathOf(xml)).toBeUndefined();
    // The real channel after it is found.
    expect(channelPathOf(xml.replace(/ {2}<\/devices>\n<\/domain>\n$/, `${channel('/real')}$&`))).toBe('/real');
  });

  it('finds it behind metadata of great depth', () => {
    const metadata = `<metadata>${'<a>'.repeat(250)}${'</a>'.repeat(250)}<__proto__/><constructor/></metadata>`;
    expect(channelPathOf(domain(channel('/p'), metadata))).toBe('/p');
  });

  it.each([
    '',
    'x',
    '<',
    '<domain>',
    '<domain',
    channel(),
    '</domain>',
    '<domain><devices><channel',
    '<!DOCTYPE a [',
    '\0',
  ])('is nothing, and no error, for text that is no XML of a domain: %j', (text) => {
    expect(channelPathOf(text)).toBeUndefined();
    expect(channelPathOf(`${text} org.github.vhostmd.1`)).toBeUndefined();
  });

  it('throws at no cut of a domain', () => {
    const whole = domain(channel('/p'));
    for (let end = 0; end < whole.length; end += 1) {
      expect([undefined, '/p']).toContain(channelPathOf(whole.slice(0, end)));
      expect(() => channelPathOf(whole.slice(end))).not.toThrow();
    }
  });
});

describe('devicesReader', () => {
  it('gives each device as it stands in the XML', () => {
    const disk = `<disk type='file'><source file='/a &amp; b'><seclabel model='dac' relabel='no'/></source></disk>`;
    const devices = devicesReader('disk', 'channel')(domain(disk + `<input/>` + channel('/p')));
    expect(devices.map(({ name }) => name)).toEqual(['disk', 'channel']);
    expect(devices.map(({ xml }) => xml)).toEqual([disk, channel('/p')]);
    expect(devices[0]?.children[0]).toMatchObject({
      name: 'source',
      attributes: { file: '/a & b' },
      children: [{ name: 'seclabel', attributes: { model: 'dac', relabel: 'no' } }],
    });
  });
});
