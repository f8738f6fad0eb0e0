import { lstatSync, statSync } from 'node:fs';

const idOf = (path: string, follow: boolean): string | undefined => {
  try {
    const stats = follow ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true });
    return `${stats.dev}:${stats.ino}`;
  } catch {
    return undefined;
  }
};

/**
 * What a path names, whatever it is called: device and inode of the socket, or as long as that is not there, of the
 * folder that is, with the rest of the path. Two paths with one identity lead to one socket: by `..`, links, hard links
 * or mounts. A link in the place of the socket is not followed, as it is not when the channel is connected.
 */
export const identityOf = (path: string): string => {
  const whole = idOf(path, false);
  if (whole !== undefined) return whole;
  const there: string[] = [];
  const missing: string[] = [];
  let identity = idOf('/', true) ?? '';
  for (const part of path.split('/').filter((one) => one !== '' && one !== '.')) {
    const found = missing.length === 0 ? idOf(`/${[...there, part].join('/')}`, true) : undefined;
    if (found !== undefined) {
      there.push(part);
      identity = found;
    } else if (part === '..') missing.pop();
    else missing.push(part);
  }
  return [identity, ...missing].join('/');
};
