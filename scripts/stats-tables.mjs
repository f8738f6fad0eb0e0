// Writes the tables of docs/stats.md from model/statistics.ts. With --check it writes nothing, and fails if they
// differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { STATISTICS } from '../.cache/modules/model/statistics.js';

const document = join(import.meta.dirname, '../docs/stats.md');

const table = (statistics) =>
  [
    '| name | type | unit | kind | from | meaning |\n|---|---|---|---|---|---|\n',
    ...statistics.map(
      ({ name, type, unit, kind, via, meaning }) =>
        `| \`${name}\` | ${type} | ${unit} | ${kind === 'untyped' ? '' : kind} | ${via} | ${meaning} |\n`,
    ),
  ].join('');

const before = readFileSync(document, 'utf8');
const after = before.replace(
  /(<!-- (host|vm): begin -->\n)[^]*?(?=<!-- \2: end -->)/g,
  (_table, begin, context) => begin + table(STATISTICS[context]),
);
if (!process.argv.includes('--check')) writeFileSync(document, after);
else if (after !== before) {
  console.error('docs/stats.md is not up to date: npm run docs:stats');
  process.exit(1);
}
console.log(`${STATISTICS.host.length} statistics of the host, ${STATISTICS.vm.length} of VMs`);
