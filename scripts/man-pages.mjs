// Writes the manual pages of the Markdown that they are made of, which it fills with the facts of the code before.
// With --check it writes nothing, and fails if a file differs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { withFacts, withTable } from './docs-facts.mjs';
import { manPage } from './man-page.mjs';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
const read = (name) => readFileSync(join(root, name), 'utf8');

/** The Markdown of each page, and the folder of the page. */
const SOURCES = {
  'docs/vhostmd.md': 'docs/man',
  'docs/configuration.md': 'docs/man',
  'docs/write-a-sink.md': 'docs/man',
  'docs/metrics.md': 'docs/man',
  'guest/README.md': 'guest',
};
/** Other pages with facts of the code. */
const PARTS = ['docs/stats.md', 'docs/timing.md', 'docs/why.md'];

const stale = [];
const put = (name, text) => {
  const file = join(root, name);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  if (check) stale.push(name);
  else writeFileSync(file, text);
};

const markdown = Object.fromEntries(
  [...Object.keys(SOURCES), ...PARTS].map((source) => [source, withFacts(read(source))]),
);
for (const [source, text] of Object.entries(markdown)) put(source, text);

const titles = Object.fromEntries(
  Object.keys(SOURCES).map((source) => {
    const [, name, section] = /^<!-- man (\S+) (\d) /m.exec(markdown[source]) ?? [];
    return [source, { name, section }];
  }),
);
for (const [source, folder] of Object.entries(SOURCES)) {
  const near = (href) => relative(root, join(root, dirname(source), href.replace(/#.*/, '') || '.'));
  const { name, section } = titles[source];
  const page = manPage(markdown[source], {
    pageOf: (href) => (href.startsWith('#') ? titles[source] : titles[near(href)]),
    include: (page) => markdown[near(page)],
  });
  put(`${folder}/${name}.${section}`, page);
}

// The tool of guests judges by the same table.
put('guest/vm-dump-metrics', withTable(read('guest/vm-dump-metrics')));

if (stale.length > 0) {
  console.error(`Not up to date: ${stale.join(', ')}; run: npm run docs:man`);
  process.exit(1);
}
console.log(`${Object.keys(SOURCES).length} manual pages`);
