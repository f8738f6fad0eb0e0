import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { claimPidFile } from '../../../src/system/process/pid-file.ts';

const OURS = `${process.pid}\n`;
let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-pid-'));
  file = path.join(directory, 'vhostmd.pid');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Starts a process with the command line of a script that Node runs. */
const pretender = async (script: string): Promise<{ readonly pid: number; readonly end: () => Promise<unknown> }> => {
  const target = path.join(directory, script);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, 'setInterval(() => undefined, 1000); console.log("up");');
  const child = spawn(process.execPath, [target, 'vhostmd.conf'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  const gone = once(child, 'exit');
  return { pid: child.pid ?? 0, end: async () => (child.kill('SIGKILL'), await gone) };
};

describe('FAULTS 55: the pid file', () => {
  it('holds our number, is readable for all, and is removed at the end', () => {
    const release = claimPidFile(file);
    expect(readFileSync(file, 'utf8')).toBe(OURS);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(directory)).toEqual(['vhostmd.pid']);
    release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['of a process that has ended', '4194304\n'],
    ['that is empty', ''],
    ['of a process that is something else by now', '1\n'],
    ['with our own number', OURS],
  ])('%s is taken over', (_, content) => {
    writeFileSync(file, content);
    const release = claimPidFile(file);
    expect(readFileSync(file, 'utf8')).toBe(OURS);
    release();
    expect(existsSync(file)).toBe(false);
  });

  it('of a process that has vhostmd among its arguments only is taken over', async () => {
    const other = await pretender('editor');
    writeFileSync(file, `${other.pid}\n`);
    claimPidFile(file);
    expect(readFileSync(file, 'utf8')).toBe(OURS);
    await other.end();
  });

  it.each(['vhostmd', 'vhostmd.cjs'])(
    'of a running %s is refused and left as it is, and taken over after its end',
    async (name) => {
      const other = await pretender(`bin/${name}`);
      writeFileSync(file, `${other.pid}\n`);
      expect(() => claimPidFile(file)).toThrow(
        `vhostmd is already running as process ${other.pid} (pid file ${file}); stop it first`,
      );
      expect(readFileSync(file, 'utf8')).toBe(`${other.pid}\n`);
      await other.end();
      claimPidFile(file);
      expect(readFileSync(file, 'utf8')).toBe(OURS);
    },
  );

  it.each([
    ['text', 'root:x:0:0::/root:/bin/sh\n'],
    ['a negative number', '-1\n'],
    ['two numbers', '12 13\n'],
    ['a number and more', '12abc'],
    ['a number that is too long', `${'1'.repeat(100)}\n`],
  ])('that holds %s is refused and left as it is', (_, content) => {
    writeFileSync(file, content);
    expect(() => claimPidFile(file)).toThrow(
      `${file} is not a pid file, so it is left as it is; remove it or name another with --pid-file`,
    );
    expect(readFileSync(file, 'utf8')).toBe(content);
    expect(readdirSync(directory)).toEqual(['vhostmd.pid']);
  });

  it('that is no regular file is refused and left as it is', () => {
    mkdirSync(file);
    expect(() => claimPidFile(file)).toThrow('is not a pid file');
    expect(() => claimPidFile('/dev/null')).toThrow('/dev/null is not a pid file');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    const link = path.join(directory, 'link');
    symlinkSync('/dev/zero', link);
    expect(() => claimPidFile(link)).toThrow('is not a pid file');
  });

  it('in a directory that does not exist or cannot be written is a clear error', () => {
    expect(() => claimPidFile(path.join(directory, 'none', 'pid'))).toThrow(
      /^The pid file .*none\/pid cannot be written: ENOENT: no such file or directory\. Run as root: mkdir -p .*\/none, or name another with --pid-file$/,
    );
    expect(() => claimPidFile('/proc/vhostmd.pid')).toThrow(/^The pid file \/proc\/vhostmd\.pid cannot be written: /);
  });

  it('is not removed when it is no longer ours', () => {
    const release = claimPidFile(file);
    writeFileSync(file, '1\n');
    release();
    expect(readFileSync(file, 'utf8')).toBe('1\n');
  });

  it('is no reason to complain when it has gone at the end', () => {
    const release = claimPidFile(file);
    rmSync(file);
    expect(release).not.toThrow();
  });
});

describe("the pid file of root in another user's folder", () => {
  const OTHER = { uid: 61_236, gid: 61_236 };
  const theirs = (): string => {
    chmodSync(directory, 0o755);
    const folder = path.join(directory, 'theirs');
    mkdirSync(folder);
    chownSync(folder, OTHER.uid, OTHER.gid);
    return folder;
  };

  it('CASE F1: is refused, with the owner and the command, whatever is planted there', () => {
    const folder = theirs();
    writeFileSync(file, '1\n');
    symlinkSync(file, path.join(folder, `pid.${process.pid}`));
    linkSync(file, path.join(folder, 'pid'));
    expect(() => claimPidFile(path.join(folder, 'pid'))).toThrow(
      `${folder} belongs to user 61236. Run as root: chown -h 0:0 ${folder}, or name another with --pid-file`,
    );
    expect(readFileSync(file, 'utf8')).toBe('1\n');
    expect(readdirSync(folder).sort()).toEqual(['pid', `pid.${process.pid}`]);
  });

  it('CASE F1: is made as that user where root is about to become that user', () => {
    const folder = theirs();
    const claimed = path.join(folder, 'pid');
    claimPidFile(claimed, OTHER);
    expect(readFileSync(claimed, 'utf8')).toBe(OURS);
    expect(statSync(claimed).uid).toBe(OTHER.uid);
    expect(process.geteuid?.()).toBe(0);
  });

  it("CASE F1: reaches nothing of root's by a folder that is swapped for a link", () => {
    const [folder, treasure] = [theirs(), path.join(directory, 'treasure')];
    mkdirSync(treasure);
    symlinkSync(treasure, path.join(folder, 'link'));
    expect(() => claimPidFile(path.join(folder, 'link', 'pid'), OTHER)).toThrow('cannot be written: EACCES');
    expect(() => claimPidFile(path.join(folder, 'link', 'pid'))).toThrow(`${folder} belongs to user 61236`);
    expect(readdirSync(treasure)).toEqual([]);
  });

  it.each(['fifo', 'device', 'link'])('CASE F1: leaves a planted %s as it is', (kind) => {
    const claimed = path.join(theirs(), 'pid');
    if (kind === 'link') symlinkSync('/dev/null', claimed);
    else expect(spawnSync('mknod', kind === 'fifo' ? [claimed, 'p'] : [claimed, 'c', '1', '3']).status).toBe(0);
    const before = lstatSync(claimed);
    expect(() => claimPidFile(claimed, OTHER)).toThrow('is not a pid file');
    expect(lstatSync(claimed).ino).toBe(before.ino);
  });
});
