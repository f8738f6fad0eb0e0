import { chmodSync, lchownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { distrusted, missingOrDistrusted } from '../../src/system/path-trust.ts';

const OTHER = 61_235;
const ROOT = { uid: 0, gid: 0 };
let top = '';
beforeEach(() => (top = mkdtempSync(join(tmpdir(), 'vhostmd-trust-'))));
afterEach(() => rmSync(top, { recursive: true, force: true }));

const folder = (name: string, uid = 0, mode = 0o755): string => {
  const path = join(top, name);
  mkdirSync(path);
  chmodSync(path, mode);
  lchownSync(path, uid, uid);
  return path;
};
const at = (path: string, owner = ROOT): string | undefined => distrusted(path, owner)?.at;

describe('CASE F7: a folder', () => {
  it("CASE F7: of root's or the own user's is trusted, in a sticky one such as /tmp, too, or if it is missing", () => {
    const [mine, sticky] = [folder('mine', OTHER), folder('sticky', 0, 0o1777)];
    for (const path of [top, sticky, '/dev/shm', '/', join(top, 'none', 'none')]) expect(at(path)).toBeUndefined();
    expect(at(mine, { uid: OTHER, gid: OTHER })).toBeUndefined();
    expect(at(join(mine, 'none'), { uid: OTHER, gid: OTHER })).toBeUndefined();
  });

  it("CASE F1: that is missing is a fault where root makes a name in it: it may come to be another user's link", () => {
    const missing = join(top, 'none');
    expect(missingOrDistrusted(missing)).toEqual({
      at: missing,
      reason: `ENOENT: no such file or directory. Run as root: mkdir -p ${missing}`,
    });
    expect(missingOrDistrusted(top)).toBeUndefined();
  });

  it('CASE F7: below a file is no fault: whoever makes it learns that it cannot be', () => {
    writeFileSync(join(top, 'file'), '');
    expect(at(join(top, 'file', 'a', 'b'))).toBeUndefined();
  });

  it('CASE F7: of another user is named with its owner and the command that mends it, wherever it stands in the path', () => {
    const other = folder("it's", OTHER);
    const reason = `${other} belongs to user ${OTHER}. Run as root: chown -h 0:0 '${top}/it'\\''s'`;
    for (const path of [other, join(other, 'a'), join(other, '..', "it's", 'b', 'c')])
      expect(distrusted(path, ROOT)).toEqual({ at: other, reason });
  });

  it.each([0o775, 0o757, 0o777, 0o2775])('CASE F7: that others may write to with mode %o is named', (mode) => {
    const open = folder('open', 0, mode);
    expect(distrusted(join(open, 'a'), ROOT)).toEqual({
      at: open,
      reason: `${open} may be written to by others than its owner. Run as root: chmod go-w ${open}`,
    });
  });

  it("CASE F1: is not trusted by way of another user's link, nor of one that a link of root's leads to", () => {
    const [other, root] = [folder('other', OTHER), folder('root')];
    symlinkSync(root, join(other, 'link'));
    symlinkSync('other/link', join(top, 'relative'));
    symlinkSync(join(top, 'relative'), join(top, 'first'));
    expect(at(join(top, 'first'))).toBe(other);
    symlinkSync(root, join(top, 'planted'));
    lchownSync(join(top, 'planted'), OTHER, OTHER);
    expect(at(join(top, 'planted'))).toBe(join(top, 'planted'));
  });

  it("CASE F1: is trusted by way of links of root's, up to a loop", () => {
    const deep = join(folder('root'), 'deep');
    mkdirSync(deep);
    symlinkSync('root/deep', join(top, 'link'));
    symlinkSync('../..', join(deep, 'up'));
    expect(at(join(top, 'link', 'up', 'root'))).toBeUndefined();
    symlinkSync('b', join(top, 'a'));
    symlinkSync('a', join(top, 'b'));
    expect(distrusted(join(top, 'a'), ROOT)?.reason).toContain('leads to itself');
  });

  it('CASE F1: that is swapped for a link of another user between two looks is seen at the next', () => {
    const sticky = folder('sticky', 0, 0o1777);
    const real = join(sticky, 'real');
    mkdirSync(real);
    expect(at(real)).toBeUndefined();
    renameSync(real, join(sticky, 'old'));
    symlinkSync(top, real);
    lchownSync(real, OTHER, OTHER);
    expect(at(real)).toBe(real);
    rmSync(real);
    writeFileSync(real, '');
    lchownSync(real, OTHER, OTHER);
    expect(at(real)).toBe(real);
  });
});
