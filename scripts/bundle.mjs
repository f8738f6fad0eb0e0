// The program and the package's entries, from src, with one copy of each part. Packages stay outside where sinks of others need
// the same copy (rxjs), or where a binary belongs to them (koffi).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'rolldown';

const common = { platform: 'node', logLevel: 'warn', external: [/^rxjs(\/|$)/, 'koffi', './cli/main.js'] };

const { output } = await build({
  ...common,
  input: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    'testing/index': 'src/testing/index.ts',
    'resolve-hook': 'src/sinks/modules/resolve-hook.ts',
  },
  output: {
    dir: 'dist',
    sourcemap: true,
    // Names stay, for the stacks of errors.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    // A daemon that runs must not load parts of another version after an upgrade.
    chunkFileNames: 'parts/[name]-[hash].js',
    // One file of what most commands share: each file costs a start half a millisecond.
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 3 }] },
  },
});
await build({
  ...common,
  input: { vhostmd: 'src/vhostmd.cts' },
  output: { dir: 'dist', format: 'cjs', entryFileNames: '[name].cjs' },
});

// Their licences want to go with the code of the packages.
const modules = output.flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
const folders = new Set(modules.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]).filter(Boolean));
const licences = [...folders]
  .sort((a, b) => a.localeCompare(b))
  .map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
    return [`${name} ${version} (${license})`, ...texts].join('\n\n');
  });
writeFileSync(
  'dist/LICENSES.txt',
  `The program contains these packages.\n\n${licences.join(`\n\n${'-'.repeat(72)}\n\n`)}\n`,
);
