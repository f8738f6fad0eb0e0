import { lstatSync, readdir } from 'node:fs';

import { forkJoin, map, Observable } from 'rxjs';

import { domainRunKey, type KnownDomain } from '../../model/metric.ts';
import { causeOf } from '../../model/reason.ts';
import { CHANNEL_NAME } from './socket-path.ts';

/** Where libvirt makes the sockets of channels without a path of their own: up to 9.6, and since. */
export const DEFAULT_CHANNEL_PATHS = ['/var/lib/libvirt/qemu/channel/target', '/run/libvirt/qemu/channel'];

/** libvirt cuts names there, so that paths do not become too long for a socket. */
const NAME_LENGTH = 20;

/** Paths of sockets by run of a domain, as `domainRunKey` names it. */
export type Paths = ReadonlyMap<string, string>;

/** The sockets that were found, and the directories that could not be read, each with the reason. */
export interface Found {
  readonly paths: Paths;
  readonly unreadable: readonly string[];
}

/** The directories that libvirt may have made for a domain: `domain-<id>-<name>`, without `domain-` since 9.7. */
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

// Synchronous, because it is a hundred times cheaper, and the directory above has just been read. What is there
// besides a socket is for the channel to complain about.
const exists = (path: string): boolean => {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
};

/** Looks for the sockets of domains in the directory layouts; all of them cost one look at each directory. */
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
