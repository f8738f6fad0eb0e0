import type { Domain } from '../../model/metric.ts';

/** What an action is told about its surroundings: the domain in context vm, the URI of -c, the configured PATH. */
export interface Surroundings {
  readonly domain?: Domain | undefined;
  readonly connect?: string | undefined;
  readonly path: string;
}

// A token is a whole word: no letter, digit or underscore touches it, so that HOSTNAME, RENAMED and
// VHOSTMD_VM_NAME stay, while `dominfo NAME`, 'NAME', "NAME", NAME.log and /x/NAME/y are meant. $NAME and ${NAME}
// stay too: there the author means a variable of the shell.
const TOKEN = /(?<![A-Za-z0-9_$]|\$\{)(?:CONNECT|VMID|UUID|NAME)(?![A-Za-z0-9_])/g;

/** The shell text to run. One pass over the original only: a domain named UUID or CONNECT is not looked at again. */
export const substitute = (command: string, { domain, connect }: Surroundings): string =>
  command.replace(TOKEN, (token) => {
    if (token === 'CONNECT') return connect === undefined ? '' : `--connect '${connect.replaceAll("'", "'\\''")}'`;
    if (domain === undefined) return token;
    if (token === 'VMID') return String(domain.id);
    return token === 'NAME' && isSafeName(domain.name) ? domain.name : domain.uuid;
  });

/**
 * Whether a name may stand in shell text, in any quotes, and means this domain to virsh. Any other is replaced by the
 * UUID, which virsh takes as well. No quoting can do this: actions already put quotes of their own around NAME.
 */
export const isSafeName = (name: string): boolean =>
  /^[A-Za-z0-9_.+:@-]+$/.test(name) &&
  !name.startsWith('-') &&
  !/^\+?\d+$/.test(name) && // virsh reads a number as an id
  !/^[\dA-Fa-f]{32}$/.test(name.replaceAll('-', '')) && // and this as a UUID, hyphens anywhere
  !/^\.+$/.test(name); // a step up in /x/NAME/y

/** All that an action finds in its environment; nothing of the daemon's own. */
export const environment = ({ domain, connect, path }: Surroundings): Readonly<Record<string, string>> => {
  const variables: Readonly<Record<string, string | undefined>> = {
    PATH: path === '' ? process.env['PATH'] : path,
    LC_ALL: 'C',
    HOME: process.env['HOME'],
    TZ: process.env['TZ'],
    // For an action that calls virsh without CONNECT.
    LIBVIRT_DEFAULT_URI: process.env['LIBVIRT_DEFAULT_URI'] || connect,
    VHOSTMD_CONNECT: connect,
    VHOSTMD_VM_NAME: domain?.name,
    VHOSTMD_VM_UUID: domain?.uuid,
    VHOSTMD_VM_ID: domain && String(domain.id),
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value.replaceAll('\0', '')]],
    ),
  );
};
