import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { directories, documentOn } from './harness.ts';
import { known, startPrivate, tick, uuidOf } from './private-harness.ts';

const OTHER = 61_237;
const { make, removeAll } = directories();
afterEach(removeAll);

/** Writes a valid, empty metrics disk that has not been written for long. */
const stray = (path: string): void => {
  const bytes = Buffer.alloc(65_536);
  bytes.write('mvbd');
  writeFileSync(path, bytes);
  utimesSync(path, 1, 1);
};

describe('the folder of private disks', () => {
  it('CASE F7: that another user owns is refused, with the owner and the command, and left as it is', () => {
    const folder = make();
    chownSync(folder, OTHER, OTHER);
    const disks = startPrivate(folder);
    disks.publish(tick(1, [known(1)]));
    expect(disks.said('failed').join()).toContain(
      `Private disks cannot be kept in ${folder}: ${folder} belongs to user ${OTHER}. Run as root: chown -h 0:0 ${folder}`,
    );
    expect(readdirSync(folder)).toEqual([]);
    disks.stop();
  });

  it.each([0o775, 0o777])('CASE F7: that others may write to, mode %o, is refused with the command', (mode) => {
    const folder = make();
    chmodSync(folder, mode);
    const disks = startPrivate(folder);
    disks.publish(tick(1, [known(1)]));
    expect(disks.said('failed').join()).toContain(`Run as root: chmod go-w ${folder}`);
    expect(readdirSync(folder)).toEqual([]);
    disks.stop();
  });

  it("CASE F7: below another user's folder is neither made nor used", () => {
    const top = make();
    chownSync(top, OTHER, OTHER);
    const disks = startPrivate(join(top, 'a', 'b'));
    disks.publish(tick(1, [known(1)]));
    expect(disks.said('failed').join()).toContain(`${top} belongs to user ${OTHER}`);
    expect(readdirSync(top)).toEqual([]);
    disks.stop();
  });

  it('CASE F7: that comes to belong to another user while the daemon runs is used no more', () => {
    const folder = make();
    const disks = startPrivate(folder);
    disks.publish(tick(1, [known(1)]));
    chownSync(folder, OTHER, OTHER);
    disks.publish(tick(2, [known(1), known(2)]));
    expect(disks.said('failed').join()).toContain(`${folder} belongs to user ${OTHER}`);
    expect(existsSync(disks.pathOf(2))).toBe(false);
    disks.stop();
  });

  it.each(['folder', 'link'])(
    'CASE F1: goes through no %s that another user plants for a domain in a sticky one',
    (kind) => {
      const [folder, treasure] = [make(), make()];
      chmodSync(folder, 0o1777);
      stray(join(treasure, 'disk'));
      const planted = [1, 3].map((id) => join(folder, uuidOf(id)));
      for (const path of planted) {
        if (kind === 'link') symlinkSync(treasure, path);
        else mkdirSync(path);
        if (kind === 'folder') linkSync(join(treasure, 'disk'), join(path, 'disk'));
        lchownSync(path, OTHER, OTHER);
      }
      const before = lstatSync(join(treasure, 'disk'));
      const disks = startPrivate(folder, { path: join(folder, 'UUID', 'disk') });
      for (const number of [1, 20, 40]) disks.publish(tick(number, [known(1), known(2)]));
      expect(disks.said('warning').join()).toContain(`${planted[0]} belongs to user ${OTHER}`);
      expect(documentOn(disks.pathOf(2))).toContain('tick 40');
      expect(lstatSync(join(treasure, 'disk')).mtimeMs).toBe(before.mtimeMs);
      disks.stop();
    },
  );
});
