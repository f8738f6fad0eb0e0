// Bundles the program and the package's entries, with one copy of each part. Packages stay external if external sinks
// need the same copy (rxjs) or if they have a binary (koffi).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { build } from 'rolldown';

const common = { platform: 'node', logLevel: 'warn', external: [/^rxjs\//, 'koffi', './cli/main.js'] };
const names = Object.keys(createRequire(import.meta.url)('rxjs'));
// Other code for modules that take long at a start.
const REPLACED = new Map([
  // `import` would read the text of RxJS a second time, to find the names of its exports: a fifth of a start of Node.
  [
    'rxjs',
    `import { createRequire } from 'node:module';
     export const { ${names.join()} } = createRequire(import.meta.url)('rxjs');`,
  ],
  // Its patterns of emoji take half as long to compile as Node takes to start. The help is ASCII.
  ['string-width', 'export default (text) => text.length;'],
]);
const replaced = {
  name: 'replaced',
  resolveId: (id) => (REPLACED.has(id) ? `\0${id}` : undefined),
  load: (id) => REPLACED.get(id.slice(1)),
};

const { output } = await build({
  ...common,
  plugins: [replaced],
  // Without winston's diagnostics of itself, which load a table of colours.
  transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  input: {
    'cli/main': 'src/cli/main.ts',
    index: 'src/index.ts',
    'testing/index': 'src/testing/index.ts',
    'resolve-hook': 'src/sinks/modules/resolve-hook.ts',
  },
  output: {
    dir: 'dist',
    sourcemap: true,
    // Stack traces need the places in src, not the text.
    sourcemapExcludeSources: true,
    // Stack traces need the names.
    minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
    // After an upgrade, a running daemon must not load parts of another version.
    chunkFileNames: 'parts/[name]-[hash].js',
    // Most commands share these modules; each file adds half a millisecond to a start.
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 3 }] },
  },
});
await build({
  ...common,
  input: { vhostmd: 'src/vhostmd.cts' },
  output: { dir: 'dist', format: 'cjs', entryFileNames: '[name].cjs' },
});

// The licences require their texts beside the bundled code.
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
