import { DEVICE_KINDS, type DeviceKind } from './attach/devices.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import { type Sort, SORTS, USUAL_SORT } from './watch/view.ts';

/** Where the configuration is unless -f names another file. */
export const DEFAULT_CONFIG = '/etc/vhostmd/vhostmd.conf';

export const FLAG = { type: 'boolean', nargs: 0, default: false } as const;
export const VALUE = { type: 'string', requiresArg: true } as const;
export const OPTIONS = {
  connect: { ...VALUE, alias: 'c', describe: "URI of libvirt (default: libvirt's own)" },
  f: { ...VALUE, default: DEFAULT_CONFIG, describe: 'Configuration file' },
  verbose: { ...FLAG, alias: 'v', describe: 'Say more, such as a line for each snapshot' },
  'no-daemonize': { ...FLAG, alias: 'd', describe: 'Stay in the foreground' },
  user: { ...VALUE, alias: 'u', describe: 'Run as this user (not root)' },
  'pid-file': {
    ...VALUE,
    alias: 'p',
    describe: 'File for the process number (default: /run/vhostmd.pid, in the background only)',
  },
} as const;
export const ATTACH_OPTIONS = {
  live: { ...FLAG, describe: 'Change the running domain' },
  config: { ...FLAG, describe: 'Change the persistent definition, for the next start (--config=FILE is the file)' },
  detach: { ...FLAG, describe: 'Take the devices out instead' },
  optional: { ...FLAG, describe: 'Let the domain start without a disk whose file is missing' },
  device: {
    ...VALUE,
    describe: `One of ${DEVICE_KINDS.join(', ')}; may be repeated (default: all that the configuration serves)`,
  },
} as const;
export const CHECK_OPTIONS = { quiet: { ...FLAG, describe: 'Print mistakes only' } } as const;
export const PREPARE_OPTIONS = { user: { ...OPTIONS.user, describe: 'Whom the disks are for (not root)' } } as const;
export const DUMP_OPTIONS = { json: { ...FLAG, describe: 'Print JSON instead of XML' } } as const;
export const STATUS_OPTIONS = {
  json: { ...FLAG, describe: 'Print all that is known, as JSON' },
  socket: { ...VALUE, describe: 'Socket of the daemon (default: in its runtime directory)' },
} as const;
export const WATCH_OPTIONS = {
  once: { ...FLAG, describe: 'Print the table once, as text, and exit' },
  count: { ...VALUE, describe: 'Print it this often, once for each new document, and exit' },
  socket: { ...VALUE, describe: 'Ask the daemon behind this socket instead of a disk' },
  sort: { ...VALUE, default: USUAL_SORT, describe: `Sort by ${SORTS.join(', ')}` },
} as const;
/** Options of the daemon that commands take only if they list them as their own. */
export const DAEMON_ONLY = ['verbose', 'no-daemonize', 'user', 'pid-file'] as const;

/** The values of --device; throws at one that is none. */
export const deviceKinds = (given: string | readonly string[] | undefined): readonly DeviceKind[] =>
  [given ?? []].flat().map((value) => {
    const kind = DEVICE_KINDS.find((known) => known === value);
    if (kind !== undefined) return kind;
    const hint = didYouMean(value, DEVICE_KINDS);
    throw new Error(`Option --device must be one of ${DEVICE_KINDS.join(', ')}, found ${quote(value)}${hint}`);
  });

/** The count of --count or --once; throws at a mistake. */
export const countOf = (once: boolean, count: string | undefined): number | undefined => {
  if (count === undefined) return once ? 1 : undefined;
  if (once) throw new Error('Options --once and --count exclude each other');
  if (/^[1-9]\d{0,8}$/.test(count)) return Number(count);
  throw new Error(`Option --count must be a number from 1 to 999999999, found ${quote(count)}`);
};

export const sortOf = (given: string): Sort => {
  const sort = SORTS.find((known) => known === given);
  if (sort !== undefined) return sort;
  const hint = didYouMean(given, SORTS);
  throw new Error(`Option --sort must be one of ${SORTS.join(', ')}, found ${quote(given)}${hint}`);
};
