import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CHUNK } from '../../../src/sinks/metrics-disk/format.ts';
import { openEarly, preparePrivate, prepareShared } from '../../../src/sinks/metrics-disk/prepare-disks.ts';
import { asOwner } from '../../../src/system/process/privileges.ts';
import { openFiles } from '../../../src/testing/contract.ts';
import { directories, documentOn, plain, start } from './harness.ts';
import { uuidOf } from './private-harness.ts';

const { make, removeAll } = directories();
const NOBODY = 65_534;
const OTHER = 61_240;
const USER = { uid: NOBODY, gid: NOBODY };
const EMPTY = '<metrics>\n</metrics>\n';
const NOTHING = { notes: [], problems: [] };

/** A folder of root that everybody can enter, and a folder in it that does not exist yet. */
let top: string;
let own: string;
beforeEach(() => {
  top = make();
  chmodSync(top, 0o755);
  own = join(top, 'own');
});
afterEach(removeAll);

/** Makes the folder of private disks, as the user's. */
const makeOwn = (): void => {
  mkdirSync(own);
  chownSync(own, NOBODY, NOBODY);
};
/** Writes a file that looks like a disk of a user. */
const disk = (path: string, uid: number): string => {
  writeFileSync(path, Buffer.concat([Buffer.from('mvbd'), Buffer.alloc(CHUNK - 4)]));
  chownSync(path, uid, uid);
  return path;
};
const made = (path: string): string => `${path} was made for user ${NOBODY} (nobody)`;
const taken = (path: string, uid: number): string =>
  `${path} belonged to user ${uid} with mode 644, and was taken over: it belongs to user ${NOBODY} (nobody) with mode 644 now`;

describe('the shared disk', () => {
  it('is made for the user with the empty document, and needs nothing the second time', () => {
    const place = { path: join(top, 'disk'), size: 2 * CHUNK };
    expect(prepareShared(place, USER)).toEqual({ notes: [made(place.path)], problems: [] });
    expect(plain(documentOn(place.path))).toBe(EMPTY);
    expect(statSync(place.path)).toMatchObject({ uid: NOBODY, gid: NOBODY, size: 2 * CHUNK });
    expect(prepareShared(place, USER)).toEqual(NOTHING);
  });

  it('is taken over with a valid document, and closed', () => {
    const path = disk(join(top, 'disk'), OTHER);
    expect(prepareShared({ path, size: CHUNK }, USER)).toEqual({ notes: [taken(path, OTHER)], problems: [] });
    expect(plain(documentOn(path))).toBe(EMPTY);
    const daemon = start({ path });
    expect(daemon.said('failed')).toEqual([]);
    daemon.stop();
  });

  it('is left to a daemon that has it open', () => {
    const path = join(top, 'disk');
    const daemon = start({ path });
    expect(prepareShared({ path, size: CHUNK }, USER)).toEqual(NOTHING);
    daemon.stop();
  });

  it('that cannot be had is a problem', () => {
    mkdirSync(own);
    const { notes, problems } = prepareShared({ path: own, size: CHUNK }, USER);
    expect(notes).toEqual([]);
    expect(problems).toEqual([expect.stringContaining(`${own} is a directory`)]);
  });

  it('is opened for a daemon without a change of its content', () => {
    const path = disk(join(top, 'disk'), OTHER);
    const before = readFileSync(path);
    const { fd, created, size } = openEarly({ path, size: CHUNK }, USER);
    expect({ created, size }).toEqual({ created: false, size: CHUNK });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(statSync(path).uid).toBe(NOBODY);
    closeSync(fd);
  });
});

describe('the private disks', () => {
  const prepare = (pattern: string, ...uuids: readonly string[]) =>
    preparePrivate({ path: join(own, pattern), size: CHUNK }, USER, uuids);
  const [one, two, three] = [uuidOf(1), uuidOf(2), uuidOf(3)];

  it.each(['UUID.disk', 'UUID/disk', 'vm-UUID/UUID/disk'])(
    'in %s are made for the domains, with their folders, all for the user, and need nothing the second time',
    (pattern) => {
      const paths = [one, two].map((uuid) => join(own, pattern.replaceAll('UUID', uuid)));
      expect(prepare(pattern, one, two)).toEqual({ notes: paths.map(made), problems: [] });
      for (const path of paths) {
        expect(plain(documentOn(path))).toBe(EMPTY);
        for (let at = path; at !== top; at = join(at, '..')) expect(statSync(at)).toMatchObject(USER);
      }
      expect(prepare(pattern, one, two)).toEqual(NOTHING);
    },
  );

  it.each(['UUID.disk', 'UUID/disk', 'UUID/vm/disk'])(
    'in %s that are there are taken over, those of other domains too; none is made for these',
    (pattern) => {
      makeOwn();
      const paths = [one, two].map((uuid) => join(own, pattern.replaceAll('UUID', uuid)));
      for (const path of paths) {
        mkdirSync(join(path, '..'), { recursive: true });
        disk(path, OTHER);
      }
      // A folder without a disk.
      if (pattern.includes('/')) mkdirSync(join(own, three));
      expect(prepare(pattern, one)).toEqual({ notes: paths.map((path) => taken(path, OTHER)), problems: [] });
      for (const path of paths) expect(statSync(path)).toMatchObject(USER);
    },
  );

  it('that the user owns already are left as they are, but for the domains', () => {
    makeOwn();
    const path = disk(join(own, `${two}.disk`), NOBODY);
    chmodSync(path, 0o600);
    expect(prepare('UUID.disk')).toEqual(NOTHING);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(prepare('UUID.disk', two).notes[0]).toContain('had mode 600');
  });

  it.each(['link', 'folder'])('root follows no %s that the user puts in the place of one', (kind) => {
    makeOwn();
    const treasure = join(top, 'treasure');
    mkdirSync(treasure);
    const precious = disk(join(treasure, 'disk'), OTHER);
    if (kind === 'link') {
      symlinkSync(precious, join(own, `${one}.disk`));
      expect(prepare('UUID.disk')).toEqual(NOTHING);
    } else {
      symlinkSync(treasure, join(own, one));
      const { notes, problems } = prepare('UUID/disk');
      expect(notes).toEqual([]);
      expect(problems[0]).toMatch(/ENOTDIR|ELOOP/);
    }
    expect(lstatSync(precious).uid).toBe(OTHER);
  });

  it('that fail do not affect others, and leave no file open', () => {
    makeOwn();
    mkdirSync(join(own, `${one}.disk`));
    const before = openFiles();
    const { notes, problems } = prepare('UUID.disk', one, two);
    expect(openFiles().filter((file) => !before.includes(file))).toEqual([]);
    expect(notes).toEqual([made(join(own, `${two}.disk`))]);
    expect(problems).toEqual([expect.stringContaining(`${one}.disk is a directory`)]);
  });

  it('are not touched below a folder that others than root can change', () => {
    const theirs = join(top, 'theirs');
    mkdirSync(theirs);
    own = join(theirs, 'own');
    makeOwn();
    disk(join(own, `${two}.disk`), OTHER);
    chownSync(theirs, NOBODY, NOBODY);
    expect(prepare('UUID.disk', one)).toEqual({
      notes: [],
      problems: [`${theirs} can be changed by others than root, so root touches no private disk below it`],
    });
    expect(existsSync(join(own, `${one}.disk`))).toBe(false);
    expect(statSync(join(own, `${two}.disk`)).uid).toBe(OTHER);
  });

  it('are made without root in such a folder', () => {
    const theirs = join(top, 'theirs');
    mkdirSync(theirs);
    own = join(theirs, 'own');
    makeOwn();
    chownSync(theirs, NOBODY, NOBODY);
    expect(asOwner(USER, () => prepare('UUID.disk', one)).notes).toEqual([made(join(own, `${one}.disk`))]);
  });

  it('are not made in a folder of another user', () => {
    mkdirSync(own);
    chownSync(own, OTHER, OTHER);
    const { notes, problems } = prepare('UUID.disk', one);
    expect(notes).toEqual([]);
    expect(problems).toEqual([expect.stringContaining(`Private disks cannot be kept in ${own}`)]);
  });
});
