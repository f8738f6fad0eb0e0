import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach } from 'vitest';

/** Places for sockets, each in a folder of its own, and what is to be undone after each test, the latest first. */
export const socketStage = () => {
  const left: (() => unknown)[] = [];
  afterEach(() => {
    for (const undo of left.splice(0).reverse()) undo();
  });
  const place = (): string => {
    const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-socket-'));
    left.push(() => rmSync(folder, { recursive: true, force: true }));
    return path.join(folder, 'status.sock');
  };
  return { left, place };
};
