import { execFileSync, spawn } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { snapshot } from '../../../src/testing/snapshots.ts';
import { directories, documentOn, start } from './harness.ts';
import { PATIENCE } from '../../support/patience.ts';

const { make, removeAll } = directories();

afterEach(removeAll);

/** Runs a metrics disk that must be refused; returns the reason. */
const refusal = (path: string): string => {
  const disk = start({ path, backoff: { first: 60_000, most: 60_000 } });
  disk.publish(snapshot(1));
  disk.stop();
  expect(disk.reports.map(({ kind }) => kind)).toEqual(['failed']);
  return disk.said('failed')[0] ?? '';
};

describe('FAULTS 42: the metrics disk refuses, with a message of its own, and leaves untouched', () => {
  it('FAULTS 42: a symbolic link', () => {
    const directory = make();
    const [target, path] = [join(directory, 'target'), join(directory, 'disk')];
    writeFileSync(target, 'precious');
    symlinkSync(target, path);
    expect(refusal(path)).toBe(
      `${path} is a symbolic link, and a metrics disk must be a regular file: remove it, or name another <path> for the disk`,
    );
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(readlinkSync(path)).toBe(target);
  });

  it('FAULTS 42: a symbolic link to nothing, which is not followed to create a file', () => {
    const directory = make();
    symlinkSync(join(directory, 'target'), join(directory, 'disk'));
    expect(refusal(join(directory, 'disk'))).toContain('is a symbolic link');
    expect(readdirSync(directory)).toEqual(['disk']);
  });

  it('FAULTS 42: a fifo, without hanging', () => {
    const path = join(make(), 'disk');
    execFileSync('mkfifo', [path]);
    expect(refusal(path)).toContain('is a fifo, and a metrics disk must be a regular file');
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  it('FAULTS 42: a directory', () => {
    const path = join(make(), 'disk');
    mkdirSync(path);
    expect(refusal(path)).toContain('is a directory, and a metrics disk must be a regular file');
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  it('FAULTS 42: a character device', () => {
    expect(refusal('/dev/null')).toContain('is a character device, and a metrics disk must be a regular file');
  });

  it('FAULTS 42: a socket', async () => {
    const path = join(make(), 'disk');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(refusal(path)).toContain('is a socket, and a metrics disk must be a regular file');
    expect(lstatSync(path).isSocket()).toBe(true);
    server.close();
  });

  it('FAULTS 42: a hard link', () => {
    const directory = make();
    const [target, path] = [join(directory, 'target'), join(directory, 'disk')];
    writeFileSync(target, 'precious');
    linkSync(target, path);
    expect(refusal(path)).toContain('has 2 hard links, and a metrics disk must have no second name');
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('a path of which more than the last folder does not exist', () => {
    const directory = make();
    const path = join(directory, 'no', 'folder', 'disk');
    expect(refusal(path)).toBe(
      `${path} cannot be made, because its folder ${directory}/no/folder cannot: ${directory}/no does not exist. ` +
        `Run as root: mkdir -p ${directory}/no/folder`,
    );
  });
});

describe('FAULTS 45: a second daemon on the same disk', () => {
  it('FAULTS 45: is told so, and leaves the disk to the first', () => {
    const path = join(make(), 'disk');
    const first = start({ path });
    first.publish(snapshot(1));
    const before = readFileSync(path);
    expect(refusal(path)).toBe(
      `${path} is already in use by another vhostmd: stop that one, or name another <path> for the disk`,
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    first.publish(snapshot(2));
    first.stop();
    expect(documentOn(path)).toContain('tick 2');
  });

  it('FAULTS 45: is let in as soon as the other process has ended', async () => {
    const path = join(make(), 'disk');
    writeFileSync(path, '');
    const holder = spawn('flock', [path, 'sh', '-c', 'echo locked; read line'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const disk = start({ path });
    disk.publish(snapshot(1));
    expect(disk.said('failed')[0]).toContain('already in use');
    expect(readFileSync(path)).toHaveLength(0);
    holder.stdin.end('\n');
    await vi.waitFor(() => expect(disk.said('written')).toHaveLength(1), 5000 * PATIENCE);
    disk.stop();
    expect(documentOn(path)).toContain('tick 1');
  });
});
