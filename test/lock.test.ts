import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly resolved?: string;
}
type Lock = Readonly<Record<string, Locked>>;

const locked = (): Lock => {
  const text = readFileSync(fileURLToPath(new URL('../package-lock.json', import.meta.url)), 'utf8');
  return (JSON.parse(text) as { readonly packages: Lock }).packages;
};

/** Returns true if a package in `folder` finds `name` as Node does: in its own node_modules or above. */
const finds = (lock: Lock, folder: string, name: string): boolean => {
  const inside = `${folder}${folder === '' ? '' : '/'}node_modules/${name}`;
  if (inside in lock) return true;
  return folder !== '' && finds(lock, folder.replace(/\/?node_modules\/(?:@[^/]+\/)?[^/]+$/, ''), name);
};

/** Returns the dependencies that the lock file lacks, as `package: dependency`. */
const missing = (lock: Lock): readonly string[] =>
  Object.entries(lock).flatMap(([folder, { dependencies, devDependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter((name) => !finds(lock, folder, name))
      .map((name) => `${folder}: ${name}`),
  );

it('CASE A7: the lock file has all that its packages depend on, for every platform', () => {
  expect(missing(locked())).toEqual([]);
});

it('CASE A7: a lock file without the packages of one platform would be noticed', () => {
  const foreign = 'node_modules/@oxlint/binding-win32-x64-msvc';
  const lock = locked();
  expect(lock).toHaveProperty([foreign]);
  expect(missing(Object.fromEntries(Object.entries(lock).filter(([name]) => name !== foreign)))).toEqual([
    'node_modules/oxlint: @oxlint/binding-win32-x64-msvc',
  ]);
});

it('the lock file names no registry, so that everybody installs from their own', () => {
  expect(Object.entries(locked()).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});
