import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { DEFAULT_CONFIG } from '../src/cli/command.ts';
import { DEFAULT_PID_FILE } from '../src/system/process/pid-file.ts';
import { said } from './support/command-line.ts';

const file = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
/** Returns the text of a page without macros and escapes. */
const readable = (source: string): string =>
  source
    .replaceAll('\\-', '-')
    .replaceAll(/\\f./g, '')
    .replaceAll(/^\.[A-Z]{1,2} /gm, '')
    .replaceAll(/["\s]+/g, ' ');
const text = (name: string): string => readable(readFileSync(file(`docs/man/${name}`), 'utf8'));

/** Returns the entries of a section as readable text, without nested entries; each starts with its tag. */
const entriesOf = (name: string, section: string): readonly string[] => {
  const source = readFileSync(file(`docs/man/${name}`), 'utf8');
  const start = source.indexOf(`\n.SH ${section}\n`);
  const end = source.indexOf('\n.SH ', start + 1);
  const whole = source.slice(start, end).replaceAll(/^\.RS\n.*?^\.RE$/gms, '');
  return whole.split('\n.TP\n').slice(1).map(readable);
};

describe('the man page of the program', () => {
  it('CASE E3: has options only under OPTIONS, and files only under FILES', async () => {
    const options = entriesOf('vhostmd.8', 'OPTIONS');
    const help = await said('--help');
    const own = help.stdout.split('\nOptions:\n')[1]?.match(/(?<=^ .*)--[a-z-]+(?= )/gm);
    const tags = options.map((entry) => /^(?:-\w , )?(--[a-z-]+)/.exec(entry)?.[1] ?? entry);
    expect(tags.toSorted()).toEqual(own?.toSorted());
    const files = entriesOf('vhostmd.8', 'FILES').map((entry) => /^\/\S+ /.exec(entry)?.[0].trim() ?? entry);
    expect(files.length).toBeGreaterThan(3);
    expect(files.every((name) => name.startsWith('/'))).toBe(true);
    // The text of an option may mention a file.
    expect(options.filter((entry) => entry.includes('status.sock'))).toEqual([]);
    expect(options.find((entry) => entry.includes('--pid-file'))).toMatch(
      / The default is \/run\/vhostmd\.pid in the background, and no file in the foreground\. /,
    );
  });

  it('has every option and command that --help has, and no other option', async () => {
    const commands = ['check', 'prepare', 'once', 'attach', 'dump', 'status', 'watch'];
    const helps = [await said('--help')];
    for (const name of commands) helps.push(await said(name, '--help'));
    const known = helps.flatMap(({ stdout }) => stdout.match(/--[a-z-]+/g) ?? []);
    const page = text('vhostmd.8');
    expect(known.filter((option) => !page.includes(option))).toEqual([]);
    expect(page.match(/(?<![\w-])--[a-z-]+/g)?.filter((option) => !known.includes(option))).toEqual([]);
    for (const command of commands) expect(page).toContain(`vhostmd ${command}`);
  });

  it('names the default files', () => {
    expect(text('vhostmd.8')).toContain(DEFAULT_CONFIG);
    expect(text('vhostmd.8')).toContain(DEFAULT_PID_FILE);
  });
});

describe('the man page of the configuration', () => {
  it('has every element and attribute of the DTD', () => {
    const dtd = readFileSync(file('conf/vhostmd.dtd'), 'utf8').replaceAll(/<!--.*?-->/gs, '');
    const elements = [...dtd.matchAll(/<!ELEMENT\s+(\w+)/g)].map(([, name]) => name);
    const attributes = [...dtd.matchAll(/<!ATTLIST\s+\w+\s([^>]*)>/g)].flatMap(([, list = '']) =>
      [...list.matchAll(/(\w+)\s+(?:CDATA|\()/g)].map(([, name]) => name),
    );
    const page = text('vhostmd.conf.5');
    expect(elements.length).toBeGreaterThan(20);
    expect(attributes.length).toBeGreaterThan(8);
    expect(elements.filter((name) => !page.includes(`<${name}`))).toEqual([]);
    expect(attributes.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
  });
});

describe.runIf(spawnSync('groff', ['--version']).status === 0)('both man pages', () => {
  it.each(['vhostmd.8', 'vhostmd.conf.5'])('are formatted without a warning: %s', (name) => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-z', file(`docs/man/${name}`)], {
      encoding: 'utf8',
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});
