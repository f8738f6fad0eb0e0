import type { Config } from '../../config/config.ts';
import { failure, type Result, success } from '../../model/result.ts';
import { privatePaths } from '../../sinks/metrics-disk/private-paths.ts';

/** Devices that `vhostmd attach` can attach, by their names on the command line. */
export const DEVICE_KINDS = ['shared-disk', 'private-disk', 'channel'] as const;
export type DeviceKind = (typeof DEVICE_KINDS)[number];

/** A device of one domain. `real`: the path with symbolic links resolved, if it differs. */
export type Device =
  | { readonly kind: 'shared-disk' | 'private-disk'; readonly path: string; readonly real?: string }
  | { readonly kind: 'channel' };

const NEEDS: Readonly<Record<DeviceKind, string>> = {
  'shared-disk': '<disk> and <transport>vbd</transport>',
  'private-disk': '<vm_disk>',
  channel: '<transport>virtio</transport>',
};

const TITLES: Readonly<Record<DeviceKind, string>> = {
  'shared-disk': 'shared disk',
  'private-disk': 'private disk',
  channel: 'channel',
};

/** Name of a kind of device in messages. */
export const titleOf = ({ kind }: { readonly kind: DeviceKind }): string => TITLES[kind];

const used = ({ transports, disk, vmDisk }: Config): Readonly<Record<DeviceKind, boolean>> => ({
  'shared-disk': disk !== undefined && transports.some(({ name }) => name === 'vbd'),
  'private-disk': vmDisk !== undefined,
  channel: transports.some(({ name }) => name === 'virtio'),
});

const known = ({ disk, vmDisk }: Config): Readonly<Record<DeviceKind, boolean>> => ({
  'shared-disk': disk !== undefined,
  'private-disk': vmDisk !== undefined,
  channel: true,
});

/**
 * Devices to attach: those requested, or all that the daemon serves with this configuration. A private disk replaces
 * the shared one, which shows the metrics of every domain to every domain.
 */
export const toAttach = (config: Config, asked: readonly DeviceKind[]): Result<readonly DeviceKind[]> => {
  const served = used(config);
  const missing = asked.find((kind) => !served[kind]);
  if (missing !== undefined) return failure(`${config.file} has no ${TITLES[missing]}: that needs ${NEEDS[missing]}`);
  if (asked.length > 0) return success([...new Set(asked)]);
  return success(DEVICE_KINDS.filter((kind) => served[kind] && !(kind === 'shared-disk' && served['private-disk'])));
};

/** Devices to detach: those requested, or all that this configuration can locate. */
export const toDetach = (config: Config, asked: readonly DeviceKind[]): Result<readonly DeviceKind[]> => {
  const findable = known(config);
  const missing = asked.find((kind) => !findable[kind]);
  if (missing !== undefined) {
    const element = missing === 'shared-disk' ? '<disk>' : '<vm_disk>';
    return failure(`${config.file} has no ${element}, so the ${TITLES[missing]} cannot be located`);
  }
  return success(asked.length > 0 ? [...new Set(asked)] : DEVICE_KINDS.filter((kind) => findable[kind]));
};

/** Returns the device of a kind for a domain. `realPath` resolves symbolic links. */
export const deviceFor = (
  kind: DeviceKind,
  config: Config,
  uuid: string,
  realPath: (path: string) => string = (path) => path,
): Device => {
  if (kind === 'channel') return { kind };
  const own = config.vmDisk && privatePaths(config.vmDisk.path).pathOf(uuid);
  const path = kind === 'shared-disk' ? config.disk?.path : own;
  if (path === undefined) throw new Error(`no path for the ${TITLES[kind]}`);
  const real = realPath(path);
  return { kind, path, ...(real === path ? {} : { real }) };
};
