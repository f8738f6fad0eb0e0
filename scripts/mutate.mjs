// `npm run mutate [-- FILE-OR-FOLDER...]`: Stryker makes small changes (mutants) to the code; this lists those that no
// unit test detects. Mutants that do not compile do not count, nor those in test/equivalent-mutants.json, which do not
// change the behaviour. Fails if a folder is below its goal, or if an entry of that list is out of date.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
// Percentage of mutants that the tests must detect, by folder.
const GOALS = new Map([
  ['src/streams', 95],
  ['src/config', 90],
  ['src/model', 90],
  ['src/sinks/virtio-serial', 90],
  ['src/sinks/metrics-disk', 90],
]);

const asked = process.argv.slice(2).map((name) => name.replace(/\/$/, ''));
const places = asked.length > 0 ? asked : [...GOALS.keys()];
const patterns = places.map((name) => (statSync(join(root, name)).isDirectory() ? `${name}/**/*.ts` : name));
const run = spawnSync('npx', ['stryker', 'run', '--mutate', patterns.join()], { cwd: root, stdio: 'inherit' });
if (run.status !== 0) process.exit(run.status ?? 1);

/** Returns the first line that a mutant changes, before and after. */
const change = (source, { location: { start, end }, replacement }) => {
  const lines = source.split('\n');
  const from = lines[start.line - 1];
  const to = `${from.slice(0, start.column - 1)}${replacement}${lines[end.line - 1].slice(end.column - 1)}`;
  const after = [...lines.slice(0, start.line - 1), to, ...lines.slice(end.line)].join('\n');
  return { from: from.trim(), to: to.split('\n')[0].trim(), after };
};

const report = JSON.parse(readFileSync(join(root, '.cache/mutation.json'), 'utf8'));
const mutants = Object.entries(report.files).flatMap(([file, { source, mutants: all }]) =>
  all.map((mutant) => ({ ...mutant, file, line: mutant.location.start.line, ...change(source, mutant) })),
);
const isCaught = ({ status }) => status === 'Killed' || status === 'Timeout';
// Stryker reports a mutant as survived also where it started none of its tests (stryker-js issue 6213).
const isUntested = ({ status, testsCompleted }) => status === 'Survived' && testsCompleted === 0;
const missed = mutants.filter(
  (mutant) => (mutant.status === 'Survived' || mutant.status === 'NoCoverage') && !isUntested(mutant),
);

// One copy for each mutant, so that one run of the compiler checks all.
const copies = join(root, '.cache/mutants');
rmSync(copies, { recursive: true, force: true });
mkdirSync(copies, { recursive: true });
cpSync(join(root, 'src'), join(copies, 'src'), { recursive: true });
const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false, allowUnreachableCode: true };
writeFileSync(
  join(copies, 'tsconfig.json'),
  JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['src'] }),
);
const copyOf = ({ file, id }) => file.replace(/\.ts$/, `.mutant${id}.ts`);
for (const mutant of missed) writeFileSync(join(copies, copyOf(mutant)), mutant.after);
const { stdout } = spawnSync('npx', ['tsc', '--pretty', 'false', '-p', '.'], { cwd: copies, encoding: 'utf8' });
const refused = new Set([...stdout.matchAll(/^(src\S+\.mutant\d+\.ts)\(/gm)].map(([, name]) => name));
rmSync(copies, { recursive: true, force: true });

const list = join(root, 'test/equivalent-mutants.json');
const keyOf = ({ file, from, to }) => JSON.stringify([file, from, to]);
const equivalent = new Set((existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : []).map(keyOf));
const survivors = missed.filter((mutant) => !refused.has(copyOf(mutant)) && !equivalent.has(keyOf(mutant)));
const outdated = [...equivalent].filter(
  (key) => JSON.parse(key)[0] in report.files && !mutants.some((mutant) => keyOf(mutant) === key && !isCaught(mutant)),
);

for (const { file, line, mutatorName, status, from, to } of survivors) {
  console.log(
    `${file}:${line}: ${mutatorName} ${status === 'NoCoverage' ? 'no coverage' : 'survived'}\n- ${from}\n+ ${to}`,
  );
}
let failed = outdated.length > 0;
for (const key of outdated)
  console.log(`test/equivalent-mutants.json: a test detects this mutant, or the code has changed: ${key}`);
for (const [folder, goal] of GOALS) {
  const of = (all) => all.filter(({ file }) => file.startsWith(`${folder}/`)).length;
  const caught = of(mutants.filter(isCaught));
  const score = (100 * caught) / (caught + of(survivors));
  if (Number.isNaN(score)) continue;
  if (score < goal) failed = true;
  const left = `${of(missed.filter((mutant) => refused.has(copyOf(mutant))))} do not compile`;
  const untested = of(mutants.filter(isUntested));
  const same = `${of(missed) - of(survivors) - of(missed.filter((mutant) => refused.has(copyOf(mutant))))} are equivalent`;
  console.log(
    `${folder}: ${score.toFixed(1)} % of ${caught + of(survivors)} mutants (goal: ${goal} %); ${left}, ${same}, ${untested} are untested`,
  );
}
process.exitCode = failed ? 1 : 0;
