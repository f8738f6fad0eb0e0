import { readFileSync, statSync, type Stats } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';

import { escapeForLog } from '../../model/value.ts';

const MAX_TEXT_LENGTH = 200;
const GROUP_MAY_CONNECT = 0o020;
const GROUP_MAY_ENTER = 0o010;

/** Returns the deepest accessible part of a path, which denies access to the rest: at least `/`. */
const barrierOf = (path: string): { readonly at: string; readonly stats: Stats } => {
  try {
    return { at: path, stats: statSync(path) };
  } catch {
    return barrierOf(dirname(path));
  }
};

/** Returns the name of a group in /etc/group, or its number if another service has the names. */
const groupName = (gid: number): string => {
  try {
    const lines = readFileSync('/etc/group', 'utf8').split('\n');
    return lines.map((line) => line.split(':')).find(([, , id]) => Number(id) === gid)?.[0] ?? String(gid);
  } catch {
    return String(gid);
  }
};

const ownName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
};

/** Describes why this user may not use a socket, and the command that fixes it. The text follows the path. */
export const permissionTrouble = (path: string): string => {
  const { at, stats } = barrierOf(path);
  const user = ownName();
  const refused = `may not be used by user ${user}`;
  const what = at === path ? 'the socket' : `its folder ${escapeForLog(at, MAX_TEXT_LENGTH)}`;
  if ((stats.mode & (stats.isSocket() ? GROUP_MAY_CONNECT : GROUP_MAY_ENTER)) === 0)
    return `${refused}: ${what} is for user ${stats.uid} only; give its group the right to use it: chmod g+rwx ${escapeForLog(at, MAX_TEXT_LENGTH)}`;
  const group = groupName(stats.gid);
  return `${refused}: ${what} is for group ${group}; join it and restart vhostmd: usermod --append --groups ${group} ${user}`;
};
