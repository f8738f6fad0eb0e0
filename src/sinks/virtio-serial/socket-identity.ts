import { lstatSync, statSync } from 'node:fs';

const idOf = (path: string, follow: boolean): string | undefined => {
  try {
    const stats = follow ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true });
    return `${stats.dev}:${stats.ino}`;
  } catch {
    return undefined;
  }
};

/** How far a path leads: to a folder that is there, and beyond it. */
interface Walk {
  readonly there: string;
  /** Of that folder. */
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
 * What a path names, whatever it is called: device and inode of the socket, or as long as that is not there, of the
 * folder that is, with the rest of the path. Two paths with one identity lead to one socket: by `..`, links, hard links
 * or mounts. A link in the place of the socket is not followed, as it is not when the channel is connected.
 */
export const identityOf = (path: string): string => {
  const whole = idOf(path, false);
  if (whole !== undefined) return whole;
  const start: Walk = { there: '', identity: idOf('/', true) ?? '', missing: [] };
  const { identity, missing } = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reduce(step, start);
  return [identity, ...missing].join('/');
};
