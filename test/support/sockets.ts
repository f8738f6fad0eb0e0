import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach } from 'vitest';

/**
 * `place` returns a path for a socket in a new folder; the functions in `left` run after each test, the latest first.
 */
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
