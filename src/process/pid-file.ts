import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';

/** Where a background daemon leaves its number unless told otherwise. */
export const DEFAULT_PID_FILE = '/run/vhostmd.pid';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`The pid file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
};

// Numbers of processes are used again: only one that runs vhostmd counts.
const runsVhostmd = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('vhostmd');
  } catch {
    return false;
  }
};

/**
 * Writes our number to the pid file, at once or not at all, and returns what removes the file if it is still ours.
 * A stale file is taken over; one of a running vhostmd, or one that holds something else, is refused with an error.
 */
export const claimPidFile = (path: string): (() => void) => {
  const content = read(path);
  if (content !== undefined) {
    if (!/^\s*\d{1,10}\s*$/.test(content) && content.trim() !== '') {
      throw new Error(`${path} is not a pid file, so it is left as it is; remove it or name another with --pid-file`);
    }
    const owner = Number(content);
    if (owner > 0 && owner !== process.pid && runsVhostmd(owner)) {
      throw new Error(`vhostmd runs already as process ${owner}, says the pid file ${path}; stop it first`);
    }
  }
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    if (content === undefined) {
      // A link, unlike a rename, fails if another daemon has been quicker.
      linkSync(draft, path);
      unlinkSync(draft);
    } else renameSync(draft, path);
  } catch (error) {
    try {
      unlinkSync(draft);
    } catch {
      // It was not written.
    }
    throw new Error(`The pid file ${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // Gone, or in a directory that only root may change: the next start takes a stale file over.
    }
  };
};
