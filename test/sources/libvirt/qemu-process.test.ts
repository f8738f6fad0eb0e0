import { closeSync, fstatSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openProcess } from '../../../src/sources/libvirt/qemu-process.ts';
import { descriptorsOf } from '../../support/processes.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-qemu-process-'));
  writeFileSync(path.join(folder, 'vm.pid'), '42\n');
  mkdirSync(path.join(folder, '42'));
  writeFileSync(path.join(folder, '42', 'cmdline'), 'qemu\0-name\0vm\0-uuid\0a\0');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const stat = (text: string): void => writeFileSync(path.join(folder, '42', 'stat'), text);
const open = (uuid: string) => openProcess(path.join(folder, 'vm.pid'), uuid, folder);

describe('The process of a domain', () => {
  it('has the CPU time of the process with that UUID', () => {
    stat(`42 (q) S ${'0 '.repeat(10)}3 4 0`);
    const process = open('a');
    expect(process?.cpuTime()).toBe(70_000_000n);
    process?.close();
  });

  it('is not that of another UUID, nor one that has ended, and none stays open', () => {
    const before = descriptorsOf(process.pid);
    stat(`42 (q) S ${'0 '.repeat(10)}3 4 0`);
    expect(open('b')).toBeUndefined();
    stat('');
    expect(open('a')).toBeUndefined();
    expect(descriptorsOf(process.pid)).toBe(before);
  });

  it('reads and closes nothing once it is closed, though its number belongs to another file', () => {
    stat(`42 (q) S ${'0 '.repeat(10)}3 4 0`);
    const closed = open('a');
    closed?.close();
    const other = openSync(path.join(folder, '42', 'stat'), 'r');
    expect(closed?.cpuTime()).toBeUndefined();
    closed?.close();
    expect(fstatSync(other).isFile()).toBe(true);
    closeSync(other);
  });
});
