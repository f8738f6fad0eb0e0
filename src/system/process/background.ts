import { closeSync, openSync } from 'node:fs';

/** Environment variable that marks the detached child. */
export const BACKGROUND = 'VHOSTMD_BACKGROUND';
const READY = 'ready';
const STDERR = 2;

/** True in the detached child. Consumes the variable so that actions do not inherit it. */
export const isBackground = (): boolean => {
  const background = process.env[BACKGROUND] !== undefined && process.send !== undefined;
  delete process.env[BACKGROUND];
  return background;
};

/** Releases the foreground process, if it still runs, and detaches from the stderr that it reads. */
export const reportReady = (): void => {
  process.send?.(READY, () => {
    if (process.connected) process.disconnect();
    closeSync(STDERR);
    // The lowest free descriptor is 2: stderr is open again, for anything that a library may print.
    openSync('/dev/null', 'w');
  });
};
