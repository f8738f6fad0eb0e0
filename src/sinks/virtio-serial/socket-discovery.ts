import { lstatSync, readdir } from 'node:fs';

import { forkJoin, map, Observable } from 'rxjs';

import { domainRunKey, type KnownDomain } from '../../model/metric.ts';
import { causeOf } from '../../model/reason.ts';
import { CHANNEL_NAME } from './socket-path.ts';

/** Folders of libvirt for sockets of channels without a path: up to 9.6, and since. */
export const DEFAULT_CHANNEL_PATHS = ['/var/lib/libvirt/qemu/channel/target', '/run/libvirt/qemu/channel'];

/** Length to which libvirt truncates names in these paths, which would be too long for a socket. */
const NAME_LENGTH = 20;

/** Paths of sockets by run of a domain (`domainRunKey`). */
export type Paths = ReadonlyMap<string, string>;

/** Sockets that were found, and directories that could not be read, with the reasons. */
export interface Found {
  readonly paths: Paths;
  readonly unreadable: readonly string[];
}

/** Returns the possible directories of a domain: `domain-<id>-<name>`, without `domain-` since libvirt 9.7. */
export const directoriesOf = ({ id, name }: KnownDomain): readonly string[] => {
  if (id === undefined || name === '' || name === '..' || /[/\0]/.test(name)) return [];
  const short = `${id}-${[...name].slice(0, NAME_LENGTH).join('')}`;
  return [`domain-${short}`, short];
};

interface Listing {
  readonly path: string;
  readonly names: ReadonlySet<string>;
  readonly trouble?: string;
}

const listing$ = (path: string): Observable<Listing> =>
  new Observable((subscriber) => {
    readdir(path, (error, names) => {
      const missing = error === null || error.code === 'ENOENT';
      subscriber.next({ path, names: new Set(names), ...(missing ? {} : { trouble: `${path}: ${causeOf(error)}` }) });
      subscriber.complete();
    });
  });

// Synchronous, because it is a hundred times cheaper, and the parent directory has just been read. The channel reports
// a file that is not a socket.
const exists = (path: string): boolean => {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
};

/** Searches for the sockets of domains in the directory layouts; reads each directory once for all domains. */
export const lookForChannels$ = (domains: readonly KnownDomain[], channelPaths: readonly string[]): Observable<Found> =>
  forkJoin(channelPaths.map(listing$)).pipe(
    map((listings) => {
      const pathOf = (domain: KnownDomain): string | undefined => {
        const directories = directoriesOf(domain);
        return listings
          .flatMap(({ path, names }) => directories.filter((name) => names.has(name)).map((name) => `${path}/${name}`))
          .map((directory) => `${directory}/${CHANNEL_NAME}`)
          .find(exists);
      };
      const found = domains.map((domain) => [domainRunKey(domain), pathOf(domain)] as const);
      return {
        paths: new Map(found.filter((one): one is readonly [string, string] => one[1] !== undefined)),
        unreadable: listings.flatMap(({ trouble }) => (trouble === undefined ? [] : [trouble])),
      };
    }),
  );
