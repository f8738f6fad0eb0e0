import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { isUuid, privatePaths } from '../../../src/sinks/metrics-disk/private-paths.ts';
import { directories, withUmask } from './harness.ts';
import { uuidOf } from './private-harness.ts';

const { make, removeAll } = directories();
const [one, two] = [uuidOf(1), uuidOf(2)];
afterEach(removeAll);

describe('a UUID in a path', () => {
  it.each([
    [one, true],
    ['01234567-89ab-cdef-0123-456789abcdef', true],
    [one.toUpperCase(), false],
    [one.replaceAll('-', ''), false],
    [`${one}\n`, false],
    [`/${one}`, false],
    [`${one}/..`, false],
    ['UUID', false],
    ['', false],
  ])('%j: %s', (text, isOne) => {
    expect(isUuid(text)).toBe(isOne);
  });
});

describe('the paths of private disks', () => {
  it.each([
    ['/d/UUID.disk', '/d', `/d/${one}.disk`],
    ['/d/UUID/disk', '/d', `/d/${one}/disk`],
    ['/d/vm-UUID/a/UUID-UUID', '/d', `/d/vm-${one}/a/${one}-${one}`],
    ['/d/e/UUID', '/d/e', `/d/e/${one}`],
  ])('of %s are in %s: %s', (pattern, folder, path) => {
    const paths = privatePaths(pattern);
    expect([paths.folder, paths.pathOf(one)]).toEqual([folder, path]);
  });

  it.each([
    ['UUID.disk', `${one}.disk`, [`${one}xdisk`, `${one}.disk2`, `x${one}.disk`, one, 'UUID.disk']],
    ['UUID', one, [`${one}.disk`, `x${one}`, one.toUpperCase()]],
    ['a+b(UUID)', `a+b(${one})`, [`aab(${one})`, `a+b${one}`]],
    ['UUID-UUID', `${one}-${one}`, [`${one}-${two}`, one]],
    ['UUID/disk', one, [`${one}.disk`]],
  ])('of %s are found by the name %s, and by no other', (pattern, name, others) => {
    const folder = make();
    const { found } = privatePaths(join(folder, pattern));
    for (const other of others) writeFileSync(join(folder, other), '');
    expect(found()).toEqual([]);
    writeFileSync(join(folder, name), '');
    expect(found()).toEqual([one]);
  });

  it('are not searched in a folder that does not exist', () => {
    expect(() => privatePaths(join(make(), 'none', 'UUID')).found()).toThrow('ENOENT');
  });
});

describe('the folders of private disks', () => {
  it('are made down to that of all disks, for all to enter, and stay', () => {
    const top = make();
    const folder = join(top, 'a', 'b');
    const { makeFolder } = privatePaths(join(folder, 'UUID', 'disk'));
    withUmask(0o077, makeFolder);
    for (const part of [folder, join(folder, '..')]) expect(statSync(part).mode & 0o7777).toBe(0o755);
    expect(readdirSync(folder)).toEqual([]);
    makeFolder();
    expect(readdirSync(top)).toEqual(['a']);
  });

  it('that cannot be made have a message with the reason, and what to do', () => {
    const top = make();
    writeFileSync(join(top, 'file'), '');
    const folder = join(top, 'file', 'disks');
    expect(() => privatePaths(join(folder, 'UUID')).makeFolder()).toThrow(
      expect.objectContaining({
        message:
          `The folder of the private disks, ${folder}, cannot be made: EEXIST: file already exists. ` +
          'Make it for the user that vhostmd runs as, or name another <path> in <vm_disk>',
        cause: expect.objectContaining({ code: 'EEXIST' }),
      }),
    );
  });

  it('of one disk are made and removed with it, but not that of all disks, nor what others need', () => {
    const folder = make();
    const paths = privatePaths(join(folder, 'UUID', 'a', 'disk'));
    expect(paths.isTrusted(one)).toBe(false);
    paths.makeOwnFolder(one);
    expect(paths.isTrusted(one)).toBe(true);
    expect(existsSync(join(folder, one, 'a'))).toBe(true);
    writeFileSync(join(folder, one, 'other'), '');
    paths.removeOwnFolder(one);
    expect(readdirSync(join(folder, one))).toEqual(['other']);
    rmSync(join(folder, one, 'other'));
    mkdirSync(join(folder, one, 'a'));
    paths.removeOwnFolder(one);
    expect(readdirSync(folder)).toEqual([]);
    // Nothing to remove is no error.
    paths.removeOwnFolder(one);
    const flat = privatePaths(join(folder, 'UUID.disk'));
    flat.makeOwnFolder(one);
    flat.removeOwnFolder(one);
    expect(readdirSync(folder)).toEqual([]);
  });
});
