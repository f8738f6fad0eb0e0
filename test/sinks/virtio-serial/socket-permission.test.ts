import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { permissionTrouble } from '../../../src/sinks/virtio-serial/socket-permission.ts';

const { username, uid, gid } = userInfo();
const group = new RegExp(`^([^:]*):[^:]*:${gid}:`, 'm').exec(readFileSync('/etc/group', 'utf8'))?.[1] ?? String(gid);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'socket-permission-'));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});
const forUser = (what: string, at: string): string =>
  `may not be used by user ${username}: ${what} is for user ${uid} only; give its group the right to use it: chmod g+rwx ${at}`;
const forGroup = (what: string, name = group): string =>
  `may not be used by user ${username}: ${what} is for group ${name}; join it and restart vhostmd: usermod --append --groups ${name} ${username}`;

describe('a socket that this user may not use', () => {
  it.each([
    [0o700, false],
    [0o750, false],
    [0o720, true],
    [0o777, true],
  ])('with mode %o names its group only if that may write to it', async (mode, isForGroup) => {
    const path = join(folder, 'socket');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    chmodSync(path, mode);
    expect(permissionTrouble(path)).toBe(isForGroup ? forGroup('the socket') : forUser('the socket', path));
    server.close();
  });

  it.each([
    [0o700, false],
    [0o760, false],
    [0o710, true],
  ])('in a folder with mode %o names the group of the folder only if that may enter it', (mode, isForGroup) => {
    mkdirSync(join(folder, 'own'), mode);
    chmodSync(join(folder, 'own'), mode);
    const what = `its folder ${join(folder, 'own')}`;
    // The deepest part that can be looked at; a name in the folder cannot.
    const trouble = permissionTrouble(join(folder, 'own', 'none', 'socket'));
    expect(trouble).toBe(isForGroup ? forGroup(what) : forUser(what, join(folder, 'own')));
  });

  it('has an escaped folder in the message', () => {
    chmodSync(folder, 0o700);
    mkdirSync(join(folder, 'a\nb'));
    chmodSync(join(folder, 'a\nb'), 0o700);
    expect(permissionTrouble(join(folder, 'a\nb', 'socket'))).toBe(
      forUser(`its folder ${folder}/a\\nb`, `${folder}/a\\nb`),
    );
  });

  it.runIf(uid === 0)('of a group without a name has its number', () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    chownSync(path, 0, 61_241);
    chmodSync(path, 0o770);
    expect(permissionTrouble(path)).toBe(forGroup('the socket', '61241'));
  });
});
