import type { DefinedDomain, Domain } from '../../model/metric.ts';
import { type Library, type Pointer } from './bindings.ts';

/** Native domain handles of one connection, by UUID; each holds a reference until it is dropped. */
export interface DomainHandles {
  /** Describes a borrowed handle and keeps a reference to it. Makes only local calls, so it is allowed in callbacks. */
  readonly remember: (handle: Pointer) => Domain;
  /** Returns another reference for one call; undefined if the domain is gone. Return it with `release`. */
  readonly borrow: (uuid: string) => Pointer | undefined;
  readonly release: (handle: Pointer) => void;
  readonly drop: (uuid: string) => void;
  readonly dropAll: () => void;
}

/** Reads UUID, name and id of a native domain, without a call to the hypervisor. */
export const describeDomain = (lib: Library, handle: Pointer): Domain => {
  const uuid = Buffer.alloc(37);
  lib.domainUuid(handle, uuid);
  return { uuid: uuid.toString('latin1', 0, 36), id: lib.domainId(handle) | 0, name: lib.domainName(handle) ?? '' };
};

/** Returns the facts of a domain that outlive its run. */
export const definedDomain = ({ uuid, name }: Domain): DefinedDomain => ({ uuid, name });

export const domainHandles = (lib: Library): DomainHandles => {
  const handles = new Map<string, Pointer>();
  const release = (handle: Pointer): void => void lib.domainFree(handle);
  const drop = (uuid: string): void => {
    const handle = handles.get(uuid);
    if (handle !== undefined) release(handle);
    handles.delete(uuid);
  };
  return {
    remember: (handle) => {
      const domain = describeDomain(lib, handle);
      lib.domainRef(handle);
      drop(domain.uuid);
      handles.set(domain.uuid, handle);
      return domain;
    },
    borrow: (uuid) => {
      const handle = handles.get(uuid);
      if (handle !== undefined) lib.domainRef(handle);
      return handle;
    },
    release,
    drop,
    dropAll: () => [...handles.keys()].forEach(drop),
  };
};
