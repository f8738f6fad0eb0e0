import { lstat } from 'node:fs';

import { codeOf, isDenied, reasonOf } from '../../model/reason.ts';
import { escapeForLog } from '../../model/value.ts';
import { permissionTrouble } from './socket-permission.ts';

/** Name of the port in the guest, and of the socket in the directory layouts. */
export const CHANNEL_NAME = 'org.github.vhostmd.1';

/** struct sockaddr_un has 108 bytes, the last of which is a NUL. */
const LONGEST_PATH = 107;

const MAX_TEXT_LENGTH = 200;

/** Quotes hostile text for a message. */
export const quoted = (text: string): string => `"${escapeForLog(text, MAX_TEXT_LENGTH)}"`;

/** Failure after the other end has closed a connection. */
export const CLOSED = 'was closed by QEMU; it is connected again when it can be';

/** Failure of the process, not of a channel. */
export const OUT_OF_DESCRIPTORS =
  'cannot be opened: vhostmd has too many files open; raise LimitNOFILE of its service, or lower <max_channels>';

const MEND: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist; if the VM runs, look whether somebody has removed it',
  ENOTDIR: 'does not exist: a part of the path is no directory',
  ECONNREFUSED: 'is a socket that nobody listens on: what made it has ended; restart the VM',
  EPIPE: CLOSED,
  ECONNRESET: CLOSED,
  EAGAIN: 'is in use by somebody else, and QEMU serves one client only; stop the other one, maybe a second vhostmd',
  ELOOP: 'leads through too many symbolic links; give the real path',
  EMFILE: OUT_OF_DESCRIPTORS,
};

/** Describes why a socket cannot be used, and what to do. The text follows the path. */
export const socketTrouble = (error: unknown, path: string): string => {
  const code = codeOf(error);
  if (isDenied(error)) return `${permissionTrouble(path)} (${code})`;
  const known = code === undefined ? undefined : MEND[code];
  return known === undefined ? reasonOf(error) : `${known} (${code})`;
};

/** True if a text of `socketTrouble` is about the whole process. */
export const isShortage = (trouble: string): boolean => trouble.startsWith(OUT_OF_DESCRIPTORS);

/** Describes why a text cannot be the path of a socket; undefined if it can. */
export const pathTrouble = (path: string): string | undefined => {
  if (!path.startsWith('/') || path.includes('\0')) return 'is not an absolute path; mend it in the XML of the domain';
  const bytes = Buffer.byteLength(path);
  if (bytes <= LONGEST_PATH) return undefined;
  return `has ${bytes} bytes, and the path of a socket at most ${LONGEST_PATH}; give the channel a shorter one`;
};

/** Checks that a path itself, not the target of a link, is a socket; calls back with the failure if not. */
export const checkSocket = (path: string, checked: (trouble?: string) => void): void => {
  const trouble = pathTrouble(path);
  if (trouble !== undefined) return checked(trouble);
  lstat(path, (error, stats) => {
    if (error !== null) return checked(socketTrouble(error, path));
    if (stats.isSymbolicLink())
      return checked('is a symbolic link, which is not followed; put the socket itself there');
    checked(stats.isSocket() ? undefined : 'is no socket; look what has taken its place');
  });
};
