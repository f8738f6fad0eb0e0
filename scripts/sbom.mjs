// `node scripts/sbom.mjs`: prints the bill of materials (CycloneDX) of the npm package: what it installs, and what is
// bundled in its program. Needs a build; the time is SOURCE_DATE_EPOCH.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { name: program, version } = JSON.parse(readFileSync('package.json', 'utf8'));
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
// npm's own --omit=dev leaves out what a development package needs, too (rxjs).
const installed = new Set(
  Object.entries(packages)
    .filter(([folder, { dev }]) => folder !== '' && dev !== true)
    .map(([folder, locked]) => `${folder.replace(/^.*node_modules\//, '')}@${locked.version}`),
);
const bundled = new Set(
  [...readFileSync('dist/LICENSES.txt', 'utf8').matchAll(/^(\S+) (\d\S*) \(.+\)$/gm)].map(
    ([, name, its]) => `${name}@${its}`,
  ),
);

const { serialNumber: _random, ...all } = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  }),
);
const bill = {
  ...all,
  metadata: {
    ...all.metadata,
    timestamp: new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString(),
    // npm takes the name of the folder.
    component: { ...all.metadata.component, type: 'application', name: program },
  },
  components: all.components
    .filter((component) => installed.has(component['bom-ref']) || bundled.has(component['bom-ref']))
    .map((component) => ({
      ...component,
      ...(bundled.has(component['bom-ref'])
        ? { scope: 'required', properties: [{ name: 'cdx:npm:package:bundled', value: 'true' }] }
        : {}),
    })),
};
const refs = new Set([`${program}@${version}`, ...bill.components.map((component) => component['bom-ref'])]);
const missing = [...installed, ...bundled].filter((ref) => !refs.has(ref));
if (missing.length > 0) throw new Error(`npm sbom has no ${missing.join(', ')}: run npm install`);
bill.dependencies = all.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
// The same bill has the same number.
const [a, b, c, d] = createHash('sha256').update(JSON.stringify(bill)).digest('hex').match(/.{8}/g);
const uuid = `${a}-${b.slice(0, 4)}-8${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${d}`;
console.log(JSON.stringify({ ...bill, serialNumber: `urn:uuid:${uuid}` }, undefined, 2));
