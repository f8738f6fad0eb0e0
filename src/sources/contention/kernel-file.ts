import { closeSync, constants, openSync, readSync } from 'node:fs';

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
// The longest file, memory.stat, has 4 KiB; the kernel gives a file whole if it fits.
const buffer = Buffer.alloc(16_384);

/** A file of the kernel that stays open: a read by the descriptor takes a twentieth of a read by the path. */
export interface KernelFile {
  /** Current text; undefined when what the file is about has gone. */
  readonly read: () => string | undefined;
  readonly close: () => void;
}

// Faster than Buffer.compare for the hundred bytes that most files have.
const isInBuffer = (bytes: Buffer, length: number): boolean => {
  if (bytes.length !== length) return false;
  for (let at = 0; at < length; at += 1) if (bytes[at] !== buffer[at]) return false;
  return true;
};

/** Opens a file of the kernel. Throws what open(2) throws. */
export const openKernelFile = (path: string): KernelFile => {
  let fd: number | undefined = openSync(path, FLAGS);
  // Most files of an idle VM do not change, and a comparison is cheaper than a text.
  let bytes = Buffer.alloc(0);
  let text = '';
  return {
    read: () => {
      try {
        if (fd === undefined) return undefined;
        const length = readSync(fd, buffer, 0, buffer.length, 0);
        if (!isInBuffer(bytes, length)) {
          bytes = Buffer.from(buffer.subarray(0, length));
          text = bytes.toString('latin1');
        }
        return text;
      } catch {
        // ENODEV: the control group has gone; ESRCH: the thread.
        return undefined;
      }
    },
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
};
