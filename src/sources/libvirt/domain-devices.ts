import { concat, map, type Observable, toArray } from 'rxjs';

import type { Domain } from '../../model/metric.ts';
import { call$, failed, LibvirtError, NO_DOMAIN } from './call.ts';
import { describeDomain, domainHandles } from './domain-handles.ts';
import { freeMemory, libvirt, type Pointer, pointers, takeString } from './bindings.ts';
import { open$ } from './open-connection.ts';
import { checked } from './queries.ts';

// libvirt-domain.h
const ALL_DOMAINS = 0;
const DESCRIPTION = { live: { xml: 0, affect: 1 }, persistent: { xml: 2, affect: 2 } } as const;

const ID = /^\d{1,9}$/;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

// virterror.h: a read-only connection; authentication failed, cancelled; access denied; authentication unavailable.
const NOT_ALLOWED: ReadonlySet<number | undefined> = new Set([29, 45, 79, 88, 94]);

/** A domain has two definitions: the running one, and the persistent one for its next start. */
export type DomainConfigScope = keyof typeof DESCRIPTION;

/** A domain that a word identifies by id, UUID or name. */
export interface Match {
  readonly by: 'id' | 'uuid' | 'name';
  /** `id` is -1 if the domain does not run. */
  readonly domain: Domain;
}

/** A connection for changes of domains. One call at a time; each emits once, or errors with a LibvirtError. */
export interface DomainAccess {
  /** Domains that a word identifies, in the order of virsh, which would take the first. */
  readonly find$: (word: string) => Observable<readonly Match[]>;
  readonly names$: () => Observable<readonly string[]>;
  /**
   * Emits true if libvirt has the security model `dac`, which gives the files of domains to QEMU's user. Without it
   * (the session of a user) libvirt refuses to start domains with labels of that model.
   */
  readonly hasDac$: () => Observable<boolean>;
  readonly isPersistent$: (domain: Domain) => Observable<boolean>;
  readonly xml$: (domain: Domain, where: DomainConfigScope) => Observable<string>;
  readonly attach$: (domain: Domain, xml: string, where: DomainConfigScope) => Observable<undefined>;
  /** Emits when the device is gone, or when the guest has not released it within 5 s. */
  readonly detach$: (domain: Domain, xml: string, where: DomainConfigScope) => Observable<undefined>;
  readonly close$: () => Observable<undefined>;
}

/** True if a call failed because this user may not change domains. */
export const isNotAllowed = (error: unknown): boolean =>
  error instanceof LibvirtError &&
  (NOT_ALLOWED.has(error.code) || /permission denied|access denied/i.test(error.message));

/** True if the XML of virConnectGetCapabilities has the security model `dac`. */
export const hasDacModel = (capabilities: string): boolean => /<secmodel>\s*<model>dac<\/model>/.test(capabilities);

const access = (conn: Pointer): DomainAccess => {
  const lib = libvirt();
  const handles = domainHandles(lib);
  const handleOf = ({ uuid }: Domain): Pointer => {
    const handle = handles.borrow(uuid);
    if (handle === undefined) throw new LibvirtError('the domain has gone', NO_DOMAIN);
    return handle;
  };
  const found =
    (by: Match['by']) =>
    (handle: Pointer | null): readonly Match[] => {
      if (handle !== null) {
        const domain = handles.remember(handle);
        handles.release(handle);
        return [{ by, domain }];
      }
      const error = failed();
      if (error.code === NO_DOMAIN) return [];
      throw error;
    };
  const byName$ = (name: string): Observable<readonly Match[]> =>
    call$('virDomainLookupByName', (l) => l.domainByName, [conn, name], found('name'));
  const byUuid$ = (uuid: string): Observable<readonly Match[]> =>
    call$('virDomainLookupByUUIDString', (l) => l.domainByUuid, [conn, uuid], found('uuid'));
  const byId$ = (id: number): Observable<readonly Match[]> =>
    call$('virDomainLookupByID', (l) => l.domainById, [conn, id], found('id'));
  const change$ = (
    what: string,
    how: 'attachDevice' | 'detachDevice',
    domain: Domain,
    xml: string,
    where: DomainConfigScope,
  ): Observable<undefined> => {
    const handle = handleOf(domain);
    return call$(
      what,
      (l) => l[how],
      [handle, xml, DESCRIPTION[where].affect],
      (result) => {
        handles.release(handle);
        checked(result);
        return undefined;
      },
    );
  };
  return {
    find$: (word) =>
      concat(
        ...(ID.test(word) ? [byId$(Number(word))] : []),
        ...(UUID.test(word) ? [byUuid$(word)] : []),
        byName$(word),
      ).pipe(
        toArray(),
        map((matches) => matches.flat()),
      ),
    names$: () => {
      const out: [Pointer | null] = [null];
      return call$(
        'virConnectListAllDomains',
        (l) => l.listDomains,
        [conn, out, ALL_DOMAINS],
        (count) => {
          checked(count);
          if (out[0] === null) return [];
          const listed = pointers(out[0], count);
          const names = listed.map((handle) => describeDomain(lib, handle).name);
          listed.forEach(handles.release);
          freeMemory(out[0]);
          return names;
        },
      );
    },
    hasDac$: () =>
      call$(
        'virConnectGetCapabilities',
        (l) => l.capabilities,
        [conn],
        (text) => {
          if (text === null) throw failed();
          return hasDacModel(takeString(text));
        },
      ),
    isPersistent$: (domain) => {
      const handle = handleOf(domain);
      return call$(
        'virDomainIsPersistent',
        (l) => l.isPersistent,
        [handle],
        (result) => {
          handles.release(handle);
          return checked(result) === 1;
        },
      );
    },
    xml$: (domain, where) => {
      const handle = handleOf(domain);
      return call$(
        'virDomainGetXMLDesc',
        (l) => l.domainXml,
        [handle, DESCRIPTION[where].xml],
        (text) => {
          handles.release(handle);
          if (text === null) throw failed();
          return takeString(text);
        },
      );
    },
    attach$: (domain, xml, where) => change$('virDomainAttachDeviceFlags', 'attachDevice', domain, xml, where),
    detach$: (domain, xml, where) => change$('virDomainDetachDeviceFlags', 'detachDevice', domain, xml, where),
    close$: () => {
      handles.dropAll();
      return call$(
        'virConnectClose',
        (l) => l.close,
        [conn],
        () => undefined,
      );
    },
  };
};

/**
 * Opens a connection without events (uri null: libvirt's default), read-only unless `toChange`. In a terminal asks for
 * credentials that the server requires.
 */
export const openDomains$ = (uri: string | null, toChange: boolean): Observable<DomainAccess> =>
  open$(uri, { readOnly: !toChange, asks: 'terminal' }, access);
