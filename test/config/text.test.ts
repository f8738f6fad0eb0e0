import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { formatDiagnostic } from '../../src/config/config.ts';
import { readConfig } from '../../src/config/parse.ts';
import { MAX_FILE_BYTES } from '../../src/xml/positions.ts';
import { configOf, errorsOf, fileOf, marked, markedFile } from './build.ts';

const directory = mkdtempSync(join(tmpdir(), 'vhostmd-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

const read = (file: string): string[] => {
  const result = readConfig(file);
  return result.ok ? [] : result.error.map(formatDiagnostic);
};

describe('FAULTS 1: a file that cannot be used is one error at line 1, column 1', () => {
  const file = join(directory, 'file.conf');

  it.each([
    ['missing', () => join(directory, 'none.conf'), /There is no such file; give/],
    ['a directory', () => directory, /This is a directory; expected a file/],
    ['a link to itself', () => (symlinkSync('loop', join(directory, 'loop')), join(directory, 'loop')), /read: ELOOP/],
    // Root cannot read it either.
    ['write-only', () => '/proc/sys/vm/compact_memory', /No permission to read the file/],
    ['empty', () => (writeFileSync(file, ''), file), /The file is empty/],
    ['too large', () => (truncateSync(file, MAX_FILE_BYTES + 1), file), /bytes; at most \d+ are read/],
    ['as large as possible', () => (truncateSync(file, MAX_FILE_BYTES), file), /NUL/],
    ['a device', () => '/dev/null', /not a regular file/],
    ['below a file', () => join('/etc/passwd', 'x'), /There is no such file; give/],
    ['blank', () => (writeFileSync(file, ' \n'), file), /No element found/],
  ])('if it is %s', (what, make, message) => {
    const path = make();
    const errors = read(path);
    expect(errors).toHaveLength(1);
    const isRead = what === 'blank' || what === 'as large as possible';
    expect(errors[0]).toContain(isRead ? `${path}:1:1: ` : `${path}: `);
    expect(errors[0]).toMatch(message);
  });

  it('and a good file is read', () => {
    writeFileSync(file, fileOf());
    expect(read(file)).toEqual([]);
  });
});

describe('FAULTS 2: a text that is not well-formed is one error with its place', () => {
  it.each([
    ['<vhostmd>\n  <globals>\n  ¦</metrics>\n</vhostmd>', /Expected closing tag 'globals'/],
    ['<vhostmd>\n<globals>\n¦', /ends while <vhostmd>, <globals> are still open/],
    ['¦<vhostmd>\n', /Unclosed tag 'vhostmd'/],
    ['<vhostmd/>\n¦<vhostmd/>', /second root/],
    ['<vhostmd/>¦</vhostmd>', /closes nothing/],
    ['<vhostmd/>\n ¦x', /Text outside/],
    ['<vhostmd>¦&nbsp;</vhostmd>', /Unknown entity &nbsp;/],
    ['<vhostmd>a ¦&& b</vhostmd>', /&amp;/],
    ['<vhostmd a="¦&"/>', /&amp;/],
    ['<vhostmd>sort ¦< file</vhostmd>', /&lt;/],
    ['<vhostmd>a <b ¦? c : d</vhostmd>', /&lt;/],
    ['<vhostmd>¦&#0;</vhostmd>', /does not allow/],
    ['<vhostmd>¦&#xFFFF;</vhostmd>', /does not allow/],
    ['<vhostmd>¦&#99999999;</vhostmd>', /does not allow/],
    ['<vhostmd>x¦]]></vhostmd>', /\]\]&gt;/],
    ['<vhostmd>\n\t¦<!-- never', /comment that starts here never ends/],
    ['<!-- a ¦-- b --><vhostmd/>', /may not contain "--"/],
    ['<vhostmd>\n¦<![CDATA[ never</vhostmd>', /CDATA section that starts here never ends/],
    ['<vhostmd a="1" ¦a="2"/>', /"a" is given twice/],
    ['<vhostmd a="1"¦b="2"/>', /not well-formed/],
    ['<vhostmd ¦a=1/>', /not well-formed/],
    ['\n¦<?xml version="1.0"?><vhostmd/>', /very start/],
    ['¦<?xml version="2.0"?><vhostmd/>', /Not well-formed/],
    ['¦<?:xml version="1.0"?><vhostmd/>', /Not well-formed/],
    ['<!DOCTYPE vhostmd>\n¦<!DOCTYPE vhostmd><vhostmd/>', /"<" that starts no tag/],
    ['¦<!DOCTYPE vhostmd SYSTEM><vhostmd/>', /DOCTYPE is not well-formed/],
    ['¦<!DOCTYPE html><vhostmd/>', /DOCTYPE names <html>/],
    [`${'<a>'.repeat(50)}¦<a>`, /nested deeper/],
    ['<vhostmd>\n¦<__proto__/></vhostmd>', /Unknown element <__proto__>/],
    ['<vhostmd ¦constructor="x"/>', /Unknown attribute "constructor"/],
    // XML allows this character in names; the XML parser takes it for white space.
    ['<vhostmd ¦a\uFEFF="x"/>', /Unknown attribute "a/],
    ['<vhostmd><a></a\uFEFF></vhostmd>'.replace('</a', '¦</a'), /Unknown element <a/],
  ])('like %j', (input, message) => {
    const { text, place } = marked(input);
    expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
    expect(errorsOf(text)[0]).toMatch(new RegExp(`^${place}`));
  });

  it('and its place is right behind \\r\\n, \\r and characters of two UTF-16 units', () => {
    expect(errorsOf('<!-- \r\n \r \u{1F600}\u{1F600} --><vhostmd>&x;</vhostmd>')).toEqual([
      expect.stringMatching(/^f:3:17: Unknown entity/),
    ]);
  });
});

describe('FAULTS 6: document type declarations cannot do harm', () => {
  const bomb = Array.from({ length: 30 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('');

  it.each([
    ['<!DOCTYPE vhostmd ¦[<!ENTITY a "x">]>', /internal subset/],
    [`<!DOCTYPE vhostmd ¦[<!ENTITY e0 "x">${bomb}]>`, /internal subset/],
    ['<!DOCTYPE vhostmd ¦[<!ENTITY a SYSTEM "file:///etc/passwd">]>', /internal subset/],
    ['<!DOCTYPE vhostmd SYSTEM "vhostmd.dtd" ¦[ ]>', /internal subset/],
    ['<!DOCTYPE vhostmd SYSTEM ¦"http://127.0.0.1:1/vhostmd.dtd">', /network is refused/],
    ["<!DOCTYPE vhostmd PUBLIC '-//X//Y' ¦'https://127.0.0.1:1/x'>", /network is refused/],
  ])('%.60s is refused before anything is expanded or fetched', (doctype, message) => {
    const { text, place } = marked(`<?xml version="1.0"?>\n${doctype}\n${fileOf().replace('hostname', '&e30;')}`);
    const errors = errorsOf(text);
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]?.startsWith(place)).toBe(true);
  });

  it('half a megabyte of references costs no more than its own size', () => {
    const text = fileOf().replace('hostname', '&#65;'.repeat(100_000));
    const [metricOfText] = configOf(text).metrics;
    expect(metricOfText?.source).toEqual({ kind: 'action', command: 'A'.repeat(100_000) });
  });

  it.each([
    '<!DOCTYPE vhostmd>',
    '<!DOCTYPE vhostmd SYSTEM "vhostmd.dtd">',
    "<!DOCTYPE vhostmd\n  SYSTEM '/does/not/exist/vhostmd.dtd' >",
    '<!DOCTYPE vhostmd SYSTEM "file:///does/not/exist.dtd">',
    '<!DOCTYPE vhostmd PUBLIC "-//VHOSTMD//DTD//EN" "vhostmd.dtd">',
  ])('%j is accepted, and its DTD is not read', (doctype) => {
    expect(errorsOf(`<?xml version="1.0"?>\n${doctype}\n${fileOf()}`)).toEqual([]);
  });
});

describe('FAULTS 10: encodings', () => {
  const bytes = (text: string, encoding: BufferEncoding = 'utf8'): Buffer => Buffer.from(text, encoding);

  it('a NUL byte is reported with its place', () => {
    const { text, place } = markedFile({ path: '<path>/bin¦\0</path>' });
    expect(errorsOf(bytes(text))).toEqual([expect.stringMatching(/A NUL byte is not allowed/)]);
    expect(errorsOf(bytes(text))[0]).toMatch(new RegExp(`^${place}`));
  });

  it('other control characters are reported by their number', () => {
    expect(errorsOf(bytes(fileOf({ path: '<path>\u001B</path>' })))).toEqual([
      expect.stringMatching(/Character U\+001B/),
    ]);
  });

  it.each([
    bytes(`\uFEFF${fileOf()}`, 'utf16le'),
    bytes(fileOf(), 'utf16le'),
    bytes(fileOf(), 'utf16le').swap16(),
    bytes(`\uFEFF${fileOf()}`, 'utf16le').swap16(),
  ])('UTF-16 is refused by its name (%#)', (text) => {
    expect(errorsOf(text)).toEqual([expect.stringMatching(/^f:1:1: The file is encoded as UTF-16; save it as UTF-8/)]);
  });

  it('bytes that are not UTF-8 are reported with their place', () => {
    const { text, place } = markedFile({ path: '<path>/\u00E4¦\u00FF</path>' });
    const wrong = Buffer.from(text.replace('\u00E4', '\u00C3\u00A4'), 'latin1');
    expect(errorsOf(wrong)).toEqual([
      `${place}Not valid UTF-8: found byte 0xff inside a character; save the file as UTF-8.`,
    ]);
  });

  it('a character that the end of the file cuts off is reported', () => {
    expect(errorsOf(Buffer.from([...bytes('<!--'), 0xc3]))).toEqual([
      expect.stringMatching(/^f:1:5: .*end of the file/),
    ]);
  });

  it('a UTF-8 byte order mark is accepted, and does not move columns', () => {
    expect(errorsOf(bytes(`\uFEFF<?xml version="1.0" encoding="UTF-8"?>${fileOf()}`))).toEqual([]);
    expect(errorsOf(bytes('\uFEFF<x/>'))).toEqual([expect.stringMatching(/^f:1:1: Unknown root/)]);
  });

  it('a foreign encoding is refused unless the text is ASCII anyway', () => {
    const latin = (name: string): string =>
      `<?xml version="1.0" encoding="ISO-8859-1"?>${fileOf().replace('HostName', name)}`;
    expect(errorsOf(bytes(latin('x')))).toEqual([]);
    expect(errorsOf(bytes(latin('\u00E4')))).toEqual([
      expect.stringMatching(/^f:1:31: The file declares the encoding "ISO-8859-1"/),
    ]);
  });

  it('characters of all planes are kept', () => {
    const text = fileOf({
      metrics: '<metric type="string" context="host"><name>\u00E4\u{1F600}&#x1F600;</name><action>b</action></metric>',
    });
    expect(configOf(bytes(text)).metrics[0]?.name).toBe('\u00E4\u{1F600}\u{1F600}');
  });
});
