import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  checkSocket,
  isShortage,
  pathTrouble,
  quoted,
  socketTrouble,
} from '../../../src/sinks/virtio-serial/socket-path.ts';

const failed = (code: string): Error => Object.assign(new Error(`connect ${code} /s`), { code });

describe('the path of a socket', () => {
  it.each([
    [`/${'x'.repeat(106)}`, undefined],
    [`/${'x'.repeat(107)}`, 'has 108 bytes, and the path of a socket at most 107; give the channel a shorter one'],
    // Two bytes each.
    [`/${'é'.repeat(54)}`, 'has 109 bytes, and the path of a socket at most 107; give the channel a shorter one'],
    ['s', 'is not an absolute path; mend it in the XML of the domain'],
    ['./s', 'is not an absolute path; mend it in the XML of the domain'],
    ['/s\0', 'is not an absolute path; mend it in the XML of the domain'],
    ['', 'is not an absolute path; mend it in the XML of the domain'],
  ])('%j: %s', (path, trouble) => {
    expect(pathTrouble(path)).toBe(trouble);
  });

  it('is quoted and cut in messages', () => {
    expect(quoted('/s')).toBe('"/s"');
    expect(quoted(`\n${'x'.repeat(300)}`)).toMatch(/^"\\nx{190,198}\.\.\."$/);
  });
});

describe('the failure of a socket', () => {
  it.each([
    ['ENOENT', 'does not exist; if the VM runs, look whether somebody has removed it'],
    ['ENOTDIR', 'does not exist: a part of the path is no directory'],
    ['ECONNREFUSED', 'is a socket that nobody listens on: what made it has ended; restart the VM'],
    ['EPIPE', 'was closed by QEMU; it is connected again when it can be'],
    ['ECONNRESET', 'was closed by QEMU; it is connected again when it can be'],
    [
      'EAGAIN',
      'is in use by somebody else, and QEMU serves one client only; stop the other one, maybe a second vhostmd',
    ],
    ['ELOOP', 'leads through too many symbolic links; give the real path'],
    [
      'EMFILE',
      'cannot be opened: vhostmd has too many files open; raise LimitNOFILE of its service, or lower <max_channels>',
    ],
  ])('%s has its reason and remedy, and the code', (code, text) => {
    expect(socketTrouble(failed(code), '/s')).toBe(`${text} (${code})`);
    expect(isShortage(socketTrouble(failed(code), '/s'))).toBe(code === 'EMFILE');
  });

  it.each(['EACCES', 'EPERM'])('%s names the user and the code', (code) => {
    expect(socketTrouble(failed(code), '/s')).toMatch(new RegExp(`^may not be used by user .* \\(${code}\\)$`));
  });

  it('that is not known keeps its text', () => {
    expect(socketTrouble(failed('EIO'), '/s')).toBe('connect EIO /s');
    expect(socketTrouble(new Error('without a code'), '/s')).toBe('without a code');
  });
});

describe('what is at the path of a socket', () => {
  let folder = '';
  const server = createServer();
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'socket-path-'));
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'folder'));
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
    symlinkSync('socket', join(folder, 'link'));
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['socket', undefined],
    ['link', 'is a symbolic link, which is not followed; put the socket itself there'],
    ['file', 'is no socket; look what has taken its place'],
    ['folder', 'is no socket; look what has taken its place'],
    ['none', 'does not exist; if the VM runs, look whether somebody has removed it (ENOENT)'],
    ['file/socket', 'does not exist: a part of the path is no directory (ENOTDIR)'],
  ])('%s: %s', async (name, trouble) => {
    expect(await new Promise((resolve) => checkSocket(join(folder, name), resolve))).toBe(trouble);
  });

  it('is not looked at if the path cannot be one', () => {
    let trouble: string | undefined;
    checkSocket('s', (found) => (trouble = found));
    expect(trouble).toContain('is not an absolute path');
  });
});
