import { lstatSync } from 'node:fs';
import path from 'node:path';

import { isTrustedFolder } from '../../system/path-trust.ts';

const SOCKETS = ['libvirt-sock', 'libvirt-sock-ro', 'virtqemud-sock', 'virtqemud-sock-ro'];

const defaultFolder = (instance: string, environment: NodeJS.ProcessEnv): string | undefined => {
  if (instance === 'system') return '/run/libvirt';
  const { XDG_RUNTIME_DIR: runtime } = environment;
  return runtime === undefined ? undefined : path.join(runtime, 'libvirt');
};

const socketIn = (folder: string): string | undefined =>
  SOCKETS.map((name) => path.join(folder, name)).find((file) => lstatSync(file, { throwIfNoEntry: false })?.isSocket());

/**
 * Returns the folder in which the QEMU driver of this URI keeps NAME.pid and NAME.xml, the status, of each running
 * domain: it is beside the driver's sockets. Undefined for other drivers, for another host, in a container without the
 * folder, and if any other user than that of the socket can change the folder.
 */
export const stateFolder = (uri: string, environment: NodeJS.ProcessEnv = process.env): string | undefined => {
  const [, instance = '', query = ''] = /^qemu(?:\+unix)?:\/\/\/(system|session)(?:\?(.*))?$/.exec(uri) ?? [];
  if (instance === '') return undefined;
  try {
    const named = new URLSearchParams(query).get('socket');
    const folder = named === null ? defaultFolder(instance, environment) : path.dirname(named);
    const socket = folder === undefined ? undefined : (named ?? socketIn(folder));
    if (folder === undefined || socket === undefined) return undefined;
    const state = path.join(folder, 'qemu', instance === 'session' ? 'run' : '');
    const { uid, gid } = lstatSync(socket);
    return isTrustedFolder(state, { uid, gid }) ? state : undefined;
  } catch {
    return undefined;
  }
};
