import { lstatSync, statSync } from 'node:fs';

const idOf = (path: string, follow: boolean): string | undefined => {
  try {
    const { dev, ino } = (follow ? statSync : lstatSync)(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    // It does not exist, or may not be looked at.
  }
  return undefined;
};

/** Existing part of a path, and the rest. */
interface Walk {
  readonly there: string;
  /** Identity of the deepest existing folder. */
  readonly identity: string;
  readonly missing: readonly string[];
}

const step = ({ there, identity, missing }: Walk, part: string): Walk => {
  const next = `${there}/${part}`;
  const found = missing.length === 0 ? idOf(next, true) : undefined;
  if (found !== undefined) return { there: next, identity: found, missing };
  return { there, identity, missing: part === '..' ? missing.slice(0, -1) : [...missing, part] };
};

/**
 * Returns the identity of a socket, whatever its path: its device and inode, or while it does not exist those of the
 * deepest existing folder with the rest of the path. Two paths with one identity lead to the same socket, by `..`,
 * links, hard links or mounts. A link in place of the socket is not followed, as for the connection of a channel.
 */
export const identityOf = (path: string): string => {
  const whole = idOf(path, false);
  if (whole !== undefined) return whole;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const start: Walk = { there: '', identity: '', missing: [] };
  const { identity, missing } = ['.', ...parts].reduce(step, start);
  return [identity, ...missing].join('/');
};
