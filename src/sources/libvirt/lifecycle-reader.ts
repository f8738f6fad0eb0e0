import type { Library, Pointer } from './bindings.ts';
import { definedDomain, describeDomain, type DomainHandles } from './domain-handles.ts';
import type { LifecycleEvent } from './types.ts';

type Read = (domain: Pointer) => LifecycleEvent | undefined;

/** Converts reports of the lifecycle callback, irrelevant ones to undefined. Keeps handles of running domains. */
export const lifecycleReader = (
  lib: Library,
  handles: DomainHandles,
): ((domain: Pointer, event: number) => LifecycleEvent | undefined) => {
  const uuidOf = (domain: Pointer): string => describeDomain(lib, domain).uuid;
  const defined: Read = (domain) => ({ kind: 'defined', ...definedDomain(describeDomain(lib, domain)) });
  const removed: Read = (domain) => ({ kind: 'undefined', uuid: uuidOf(domain) });
  const running: Read = (handle) => {
    const domain = handles.remember(handle);
    return domain.id >= 0 ? { kind: 'running', domain } : undefined;
  };
  const paused: Read = (domain) => ({ kind: 'paused', uuid: uuidOf(domain) });
  const gone: Read = (domain) => {
    const uuid = uuidOf(domain);
    handles.drop(uuid);
    return { kind: 'gone', uuid };
  };
  // virDomainEventType of libvirt-domain.h: defined, undefined, started, suspended, resumed, stopped.
  const readers = [defined, removed, running, paused, running, gone];
  return (domain, event) => readers[event]?.(domain);
};
