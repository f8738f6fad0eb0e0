import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { migrate, type Migrated } from '../../../src/cli/migrate/migrate.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import type { Config } from '../../../src/config/config.ts';
import { xmlEscape } from '../../support/libvirtd.ts';
import { RECOGNISED } from './pipelines.ts';

const MACHINE = { procps: 4, xen: false } as const;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const migrated = (text: string): Migrated => {
  const result = migrate(bytesOf(text), 'old.conf', MACHINE);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
};
const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/config/${name}`, import.meta.url), 'utf8');

const HEAD =
  '<vhostmd><globals><disk><name>d</name><path>/d</path><size unit="k">64</size></disk>' +
  '<update_period>5</update_period><path/><transport>vbd</transport></globals><metrics>';
const TAIL = '</metrics></vhostmd>\n';
const metric = (source: string, type = 'uint64', context = 'host'): string =>
  `<metric type="${type}" context="${context}"><name>M</name>${source}</metric>`;

describe('Rewriting a file', () => {
  it('puts a statistic in place of each recognised action, and leaves all else byte for byte', () => {
    const before = [
      '<?xml version="1.0"?>\r\n<!DOCTYPE vhostmd SYSTEM "vhostmd.dtd">\r\n<!-- K\u00f6ln \u{1F600} -->\r\n',
      HEAD,
      "\r\n  <metric  context='host'   type='uint64' >\r\n\t<name>Time</name> <!-- of the host -->\r\n",
      '\t',
      '<action>\r\n\t\tdate  \\\r\n  +%s\r\n\t</action>',
      ' <!-- behind --></metric>\r\n',
      metric('<action>echo 1</action>'),
      metric('<stat>host.time</stat>'),
      metric('', 'real64', 'vm').replace('</metric>', ''),
      "<action ><![CDATA[virsh dominfo NAME | awk '/^CPU time/ {print $3}']]></action >",
      '</metric>',
      TAIL,
    ];
    const after = before.map((part) => part);
    after[4] = '<stat>host.time</stat>';
    after[9] = '<stat scale="1e-9">cpu.time</stat>';
    // A byte order mark and both ends of lines stay.
    for (const mark of ['', '\uFEFF']) expect(migrated(mark + before.join('')).text).toBe(mark + after.join(''));
  });

  it('keeps comments inside an action, in front of the statistic', () => {
    const text = HEAD + metric('<action>date<!-- seconds --> +%s <?note x?></action>') + TAIL;
    expect(migrated(text).text).toBe(HEAD + metric('<!-- seconds --><?note x?><stat>host.time</stat>') + TAIL);
  });

  it('reports each action with its place, what it became or why it stays', () => {
    const { report } = migrated(
      `${HEAD}\n${metric('<action>date +%s</action>')}\n${metric('<action>rpm -q x</action>', 'string', 'vm')}\n${TAIL}`,
    );
    expect(report).toEqual([
      { file: 'old.conf', line: 2, column: 52, replaced: true, message: 'M (host) is <stat>host.time</stat>' },
      { file: 'old.conf', line: 3, column: 50, replaced: false, message: 'M (vm) stays an action: it runs rpm' },
    ]);
  });

  it('reports hostile text escaped', () => {
    const name = '\u202e';
    const { report } = migrated(HEAD + metric(`<action>${name}x\u0085</action>`).replace('>M<', `>${name}<`) + TAIL);
    expect(report[0]?.message).toMatch(/^[ -~]+$/);
  });

  it('refuses a file with mistakes, with their places', () => {
    const result = migrate(bytesOf(`${HEAD}<metric/>${TAIL}`), 'old.conf', MACHINE);
    expect(result).toMatchObject({ ok: false, error: expect.arrayContaining([expect.objectContaining({ line: 1 })]) });
  });

  it.each([
    ['rhel-style.xml', ['VirtProductInfo']],
    ['sample-style.xml', ['VirtualizationProductInfo', 'PageRates']],
    ['upstream-style.xml', ['PageRates']],
  ])('leaves in %s only actions whose value no statistic has', (name, left) => {
    const result = parseConfig(migrated(fixture(name)).text, name);
    const metrics = result.ok ? result.value.metrics : [];
    expect(metrics.filter(({ source }) => source.kind === 'action').map((each) => each.name)).toEqual(left);
  });

  it('makes the preset of SAP of a file with its metrics', () => {
    const sources = (text: string) => {
      const { value } = parseConfig(text, 'f') as { readonly value: Config };
      return value.metrics.map(({ name, type, context, unit, source }) => ({ name, type, context, unit, source }));
    };
    const preset = readFileSync(new URL('../../../conf/vhostmd.xml', import.meta.url), 'utf8');
    const without = (each: ReturnType<typeof sources>) => each.filter(({ name }) => name !== 'VirtProductInfo');
    expect(without(sources(migrated(fixture('rhel-style.xml')).text))).toEqual(without(sources(preset)));
  });
});

describe('Any file', () => {
  const commands = fc.oneof(
    fc.constantFrom(...RECOGNISED.map(({ command }) => command)),
    fc.constantFrom('rpm -q x', 'free | awk "', 'echo &', ']]', '/opt/x NAME "y" <z', 'date +%s; id'),
    fc.string({ maxLength: 20, unit: 'grapheme-ascii' }).filter((text) => text.trim() !== ''),
  );
  const written = fc
    .tuple(commands, fc.boolean())
    .map(([command, cdata]) => (cdata && !command.includes(']]>') ? `<![CDATA[${command}]]>` : xmlEscape(command)));
  const metrics = fc
    .record({
      command: written,
      type: fc.constantFrom('uint64', 'real64', 'string', 'uint32', 'xml'),
      context: fc.constantFrom('host', 'vm'),
      space: fc.constantFrom('', '\n  ', '\r\n\t', '<!-- <action>no</action> -->', '<?note \u00e4\u{1F600}?>'),
    })
    .map(({ command, type, context, space }) => ({
      open: `${space}<metric type="${type}" context="${context}" unit="x&amp;y">${space}<name>N</name>${space}`,
      action: `<action>${command}</action>`,
      close: `${space}</metric>`,
    }));
  const files = fc.array(metrics, { minLength: 1, maxLength: 6 });

  it('stays valid, keeps all that is not recognised, and is the same when it is migrated again', () => {
    fc.assert(
      fc.property(files, (parts) => {
        const before = HEAD + parts.map(({ open, action, close }) => open + action + close).join('') + TAIL;
        const { text, report } = migrated(before);
        const sources = report.map(({ replaced, message }, index) =>
          replaced ? (/<stat.*<\/stat>/.exec(message)?.[0] ?? '') : (parts[index]?.action ?? ''),
        );
        expect(text).toBe(HEAD + parts.map(({ open, close }, index) => open + sources[index] + close).join('') + TAIL);
        expect(report).toHaveLength(parts.length);
        expect(parseConfig(text, 'f').ok).toBe(true);
        expect(migrated(text).text).toBe(text);
      }),
      { numRuns: 150 },
    );
  });
});
