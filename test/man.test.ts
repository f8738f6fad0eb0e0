import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { BUILT_IN, COMMON, DEFAULT_CONFIG } from '../src/cli/command.ts';
import { COMMANDS, DAEMON } from '../src/cli/commands.ts';
import { GRAMMAR, ROOT } from '../src/config/grammar.ts';
import { STATISTICS } from '../src/model/statistics.ts';
import { environment } from '../src/sources/action/substitute.ts';
import { DEFAULT_PID_FILE } from '../src/system/process/pid-file.ts';
import { said } from './support/command-line.ts';

const root = path.join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const { man: PAGES } = JSON.parse(read('package.json')) as { readonly man: readonly string[] };

const run = (command: string, args: readonly string[], env = {}): { stdout: string; stderr: string } => {
  const { stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
  });
  return { stdout, stderr };
};
/** Returns a page as man prints it. */
const printed = (name: string, width: number): string => run('man', ['-l', name], { MANWIDTH: String(width) }).stdout;
// Wide enough that no name is broken.
const text = (name: string): string => printed(name, 1000);

const VHOSTMD = 'docs/man/vhostmd.8';
const CONF = 'docs/man/vhostmd.conf.5';
const TOOL = 'guest/vm-dump-metrics.1';

const sectionOf = (name: string, title: string): string => {
  const [, section = ''] = new RegExp(`^${title}\\n([^]*?)(?=^\\S)`, 'm').exec(text(name)) ?? [];
  return section;
};
/** Returns the tagged paragraphs of a page, or of a section, without fonts and escapes. */
const entriesOf = (name: string, title = ''): readonly { readonly tag: string; readonly about: string }[] => {
  const page = read(name)
    .replaceAll(/\\f[BIP]|\\&/g, '')
    .replaceAll(String.raw`\-`, '-')
    .replaceAll(String.raw`\(aq`, "'");
  const start = title === '' ? 0 : page.indexOf(`\n.SH ${title}\n`);
  const section = page.slice(start, title === '' ? undefined : page.indexOf('\n.SH ', start + 1));
  return [...section.matchAll(/^\.TP\n(.*)\n(.*)$/gm)].map(([, tag = '', about = '']) => ({ tag, about }));
};
const tagsOf = (name: string, title: string): readonly string[] => entriesOf(name, title).map(({ tag }) => tag);

/** Returns the names that a list lacks. */
const lacking = (names: Iterable<string>, list: Iterable<string>): readonly string[] => {
  const known = new Set(list);
  return [...new Set(names)].filter((name) => !known.has(name));
};

const sources = (folder: string): readonly string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.c?ts$/.test(name))
    .map((name) => read(`${folder}/${name}`));

describe('each man page', () => {
  it('is what is made of its Markdown and of the code (npm run docs:man)', () => {
    expect(run(process.execPath, ['scripts/man-pages.mjs', '--check'])).toMatchObject({ stderr: '' });
  });

  it.each(PAGES)('has no warning of groff, man and mandoc: %s', (name) => {
    expect(run('groff', ['-man', '-ww', '-z', name])).toEqual({ stdout: '', stderr: '' });
    expect(run('man', ['--warnings', '-l', name])).toMatchObject({ stderr: '' });
    expect(run('mandoc', ['-Tlint', '-W', 'warning', name])).toEqual({ stdout: '', stderr: '' });
  });

  it.each(PAGES)('fits a terminal of 80 columns: %s', (name) => {
    const lines = printed(name, 80).split('\n');
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it.each(PAGES)('has its name, what it is, and other pages: %s', (name) => {
    expect(sectionOf(name, 'NAME')).toContain(` ${path.basename(name).replace(/\.\d$/, '')} - `);
    expect(text(name)).toMatch(/^SEE ALSO\n +\S+\(\d\)/m);
  });
});

describe('vhostmd(8)', () => {
  it('has the usual sections', () => {
    const titles = [...text(VHOSTMD).matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) => title);
    expect(titles.join(', ')).toBe(
      'NAME, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDS, SIGNALS, LOG, EXIT STATUS, ENVIRONMENT, FILES, EXAMPLES, SEE ALSO',
    );
  });

  it('CASE E3: has options of the daemon only under OPTIONS, and files only under FILES', async () => {
    const { stdout: help } = await said('--help');
    const own = help.split('\nOptions:\n')[1]?.match(/(?<=^ .*)--[a-z-]+(?= )/gm);
    const tags = tagsOf(VHOSTMD, 'OPTIONS').map((tag) => /--[a-z-]+/.exec(tag)?.[0] ?? tag);
    expect(tags.toSorted()).toEqual(own?.toSorted());
    expect(sectionOf(VHOSTMD, 'OPTIONS')).not.toContain('status.sock');
    expect(tagsOf(VHOSTMD, 'FILES')).toEqual(expect.arrayContaining([DEFAULT_CONFIG, DEFAULT_PID_FILE]));
    expect(sectionOf(VHOSTMD, 'OPTIONS')).toMatch(/default: \/run\/vhostmd\.pid, in the background only/);
  });

  it.each(COMMANDS)('has the options and operands of $command', ({ command, describe: purpose, options, operands }) => {
    const [name = ''] = command.split(' ');
    const commands = sectionOf(VHOSTMD, 'COMMANDS');
    const start = commands.indexOf(`   vhostmd ${name}\n`);
    const section = commands.slice(start).split(/^ {3}vhostmd /m)[1] ?? '';
    expect(start).toBeGreaterThan(-1);
    expect(section).toContain(purpose);
    for (const option of Object.keys(options)) expect(section).toMatch(new RegExp(`^ {7}.*--${option}\\b`, 'm'));
    for (const operand of Object.keys(operands)) expect(section).toContain(`       ${operand.toUpperCase()} `);
    expect(sectionOf(VHOSTMD, 'SYNOPSIS')).toContain(`vhostmd ${name}`);
  });

  it('has no option that no command has', () => {
    const known = [DAEMON, ...COMMANDS].flatMap(({ options }) => Object.keys({ ...COMMON, ...BUILT_IN, ...options }));
    const found = text(VHOSTMD).match(/(?<=(?<![\w-])--)[a-z-]+/g) ?? [];
    expect(lacking(found, [...known, 'config'])).toEqual([]);
  });

  it('has each exit status', () => {
    const statuses = sources('src/cli').flatMap((source) =>
      [...source.matchAll(/\b(?:return|exitCode =) (\d)(?=;)/g)].map(([, status = '']) => status),
    );
    expect(new Set(statuses).size).toBe(3);
    expect(lacking(statuses, tagsOf(VHOSTMD, 'EXIT STATUS'))).toEqual([]);
  });

  it('has each environment variable that the program reads', () => {
    const names = sources('src').flatMap((source) => [
      ...[...source.matchAll(/\benv(?:ironment)?\??(?:\.|\[')([A-Z_]+)/g)].map(([, name = '']) => name),
      ...[
        ...source.matchAll(/const \{([^}]*)\} = (?:process\.env|environment)\b/g),
        ...source.matchAll(/\{([^}]*)\}: Environment\b/g),
      ].flatMap(([, list = '']) => list.match(/\b[A-Z][A-Z_]+\b/g) ?? []),
    ]);
    expect(names).toEqual(expect.arrayContaining(['RUNTIME_DIRECTORY', 'NOTIFY_SOCKET', 'LC_ALL', 'WATCHDOG_USEC']));
    const tags = tagsOf(VHOSTMD, 'ENVIRONMENT').flatMap((tag) => tag.split(', '));
    expect(lacking(names, tags)).toEqual([]);
  });

  it('has each signal that the daemon handles', () => {
    const names = sources('src/system/process').flatMap((source) => source.match(/(?<=')SIG[A-Z0-9]+(?=')/g) ?? []);
    const tags = tagsOf(VHOSTMD, 'SIGNALS').flatMap((tag) => tag.split(', '));
    expect(names.length).toBeGreaterThan(10);
    expect(lacking(names, [...tags, 'SIGKILL', 'SIGSEGV', 'SIGABRT'])).toEqual([]);
  });
});

describe('vhostmd.conf(5)', () => {
  const page = text(CONF);

  const entries = entriesOf(CONF);
  const tags = entries.map(({ tag }) => tag);

  it('has each element and attribute, with a text', () => {
    const attributes = [...GRAMMAR.values()].flatMap((rule) => Object.keys(rule.attributes));
    const elements = [...GRAMMAR.keys()].filter((name) => name !== ROOT);
    const found = (pattern: string): boolean => tags.some((tag) => new RegExp(pattern).test(tag));
    expect(elements.filter((name) => !found(`^<${name}(?: .*)?> \\(`))).toEqual([]);
    expect(attributes.filter((name) => !found(`^${name} \\(|<.*\\b${name}="`))).toEqual([]);
    expect(entries.filter(({ about }) => about === '').map(({ tag }) => tag)).toEqual([
      'elements nested deeper than 50 levels, a file over 16 MiB',
    ]);
  });

  it('has each statistic, with its meaning and unit', () => {
    const all = [...STATISTICS.host, ...STATISTICS.vm];
    const missing = all.filter(({ name, meaning, type, unit }) => {
      const about = `${meaning.replaceAll('`', '')} (${type}${unit === '' ? '' : `, ${unit}`}, `;
      return !entries.some((entry) => entry.tag === name && entry.about.startsWith(about));
    });
    expect(missing).toEqual([]);
  });

  it('has each timing rule', () => {
    const rules = [...read('docs/timing.md').matchAll(/^(?:###|\d\.) (.*)$/gm)].map(([, rule = '']) => rule);
    const lines = page.split('\n').map((line) => line.replace(/^ +(?:•|\d\.) +/, ''));
    expect(rules.length).toBeGreaterThan(60);
    expect(lacking(rules, lines)).toEqual([]);
  });

  it('has each environment variable of an action', () => {
    const domain = { id: 1, name: 'a', uuid: 'b' };
    const names = Object.keys(environment({ domain, connect: 'c', path: 'd' }));
    expect(names).toContain('VHOSTMD_VM_NAME');
    expect(names.filter((name) => !page.includes(name))).toEqual([]);
  });
});

describe('vm-dump-metrics(1)', () => {
  it('has the options and the exit statuses of --help', () => {
    const help = run(path.join(root, 'guest/vm-dump-metrics'), ['--help']).stdout;
    const options = help.match(/(?<![\w-])--?[a-z]+\b/g) ?? [];
    const tags = tagsOf(TOOL, 'OPTIONS').flatMap((tag) => tag.split(/, |[ =]/));
    expect(options.length).toBeGreaterThan(10);
    expect(lacking(options, tags)).toEqual([]);
    const [, , statuses = ''] = help.split(/(Exit status:)/);
    expect(tagsOf(TOOL, 'EXIT STATUS')).toEqual(statuses.match(/\b\d\b/g));
  });
});
