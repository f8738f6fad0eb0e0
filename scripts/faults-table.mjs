// Fills the last column of the tables in docs/reliability.md with the tests of each row: those with `FAULTS N:` in
// their name. With --check it writes nothing, and fails if a table is out of date or a row has no test.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const document = join(root, 'docs/reliability.md');
const check = process.argv.includes('--check');

const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .sort();

// `FAULTS 24, 25: ...` belongs to both rows.
const shownBy = new Map();
for (const file of tests) {
  const text = readFileSync(join(root, 'test', file), 'utf8');
  for (const [, numbers] of text.matchAll(/FAULTS (\d+(?:(?:, | and )\d+)*)/g)) {
    for (const number of numbers.split(/, | and /)) {
      const files = shownBy.get(Number(number)) ?? new Set();
      shownBy.set(Number(number), files.add(file));
    }
  }
}

const before = readFileSync(document, 'utf8');
const missing = [];
const after = before.replace(/^\| (\d+) \|(.*)\|[^|]*\|$/gm, (_row, number, cells) => {
  const files = [...(shownBy.get(Number(number)) ?? [])];
  if (files.length === 0) missing.push(number);
  return `| ${number} |${cells}| ${files.map((file) => `[${file.replace(/\.test\.ts$/, '')}](../test/${file})`).join(', ')} |`;
});
if (check && (after !== before || missing.length > 0)) {
  console.error(
    missing.length > 0
      ? `docs/reliability.md: no test shows row ${missing.join(', ')}`
      : 'docs/reliability.md is not up to date: npm run docs:faults',
  );
  process.exit(1);
}
if (!check) writeFileSync(document, after);
console.log(`${shownBy.size} rows have tests${missing.length > 0 ? `; without: ${missing.join(', ')}` : ''}`);
