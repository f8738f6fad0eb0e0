import type { Domain } from '../../model/metric.ts';

/** Inputs of an action: the domain in context vm, the URI of -c, the configured PATH. */
export interface Surroundings {
  readonly domain?: Domain | undefined;
  readonly connect?: string | undefined;
  readonly path: string;
}

// Matches whole words only: in `dominfo NAME`, 'NAME', "NAME", NAME.log and /x/NAME/y, but not in HOSTNAME, RENAMED and
// VHOSTMD_VM_NAME, nor in the shell variables $NAME and ${NAME}.
const TOKEN = /(?<![A-Za-z0-9_$]|\$\{)(?:CONNECT|VMID|UUID|NAME)(?![A-Za-z0-9_])/g;

/** Returns the shell text to run. Replaces in a single pass, so that a domain named UUID or CONNECT is not replaced. */
export const substitute = (command: string, { domain, connect }: Surroundings): string =>
  command.replace(TOKEN, (token) => {
    if (token === 'CONNECT') return connect === undefined ? '' : `--connect '${connect.replaceAll("'", "'\\''")}'`;
    if (domain === undefined) return token;
    if (token === 'VMID') return String(domain.id);
    return token === 'NAME' && isSafeName(domain.name) ? domain.name : domain.uuid;
  });

/**
 * True if a name is safe in shell text, in any quotes, and means this domain for virsh. Any other is replaced by the
 * UUID, which virsh also accepts. Quoting cannot solve this, because actions already have their own quotes around NAME.
 */
export const isSafeName = (name: string): boolean =>
  /^[A-Za-z0-9_.+:@-]+$/.test(name) &&
  !name.startsWith('-') &&
  !/^\+?\d+$/.test(name) && // virsh reads a number as an id
  !/^[\dA-Fa-f]{32}$/.test(name.replaceAll('-', '')) && // and this as a UUID, hyphens anywhere
  !/^\.+$/.test(name); // the parent folder in /x/NAME/y

/** Returns the whole environment of an action, without that of the daemon. */
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
