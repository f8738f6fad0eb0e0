import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Compiles a module of src and its imports into a directory, for a separate process; returns the path. */
export const compiled = (module: string, directory: string): string => {
  const root = resolve(import.meta.dirname, '../../..');
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  const config = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: {
      rootDir: join(root, 'src'),
      outDir: directory,
      declaration: false,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [],
    files: [join(root, 'src', module)],
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', directory], { stdio: 'inherit' });
  return join(directory, module.replace(/\.ts$/, '.js'));
};
