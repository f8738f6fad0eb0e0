import type { Domain, DomainEvent, KnownDomain } from '../../../src/model/metric.ts';

// A VM is a letter, its uuid, and its id: b7. Without an id it is the letter's place in the alphabet.
const domainOf = (text: string): Domain => {
  const [, uuid = '', id = ''] = /^([a-z])(\d*)$/.exec(text) ?? [];
  if (uuid === '') throw new Error(`expected a VM like a or a7, found: ${text}`);
  return { uuid, id: id === '' ? uuid.charCodeAt(0) - 96 : Number(id), name: uuid };
};

/**
 * `sync a b`, or with the defined domains `sync a b + a c`; `start a`, `resume a`, `pause a`, `stop a`, `define a`,
 * `undefine a`, `channel a x` (its socket is x), `channel a` (it has none), `lost`.
 */
export const domainEventOf = (text: string): DomainEvent => {
  const [verb, ...vms] = text.split(' ');
  const [vm = '', path] = vms;
  if (verb === 'sync') {
    const plus = vms.indexOf('+');
    if (plus < 0) return { kind: 'sync', domains: vms.map(domainOf) };
    const defined = vms.slice(plus + 1).map((name) => ({ uuid: domainOf(name).uuid, name }));
    return { kind: 'sync', domains: vms.slice(0, plus).map(domainOf), defined };
  }
  if (verb === 'lost' && vms.length === 0) return { kind: 'lost', reason: 'lost' };
  if (verb === 'channel' && vms.length <= 2)
    return { kind: 'channel', uuid: domainOf(vm).uuid, ...(path === undefined ? {} : { path }) };
  if (vms.length !== 1) throw new Error(`unknown event of a domain: ${text}`);
  if (verb === 'start' || verb === 'resume') return { kind: 'running', domain: domainOf(vm) };
  if (verb === 'pause') return { kind: 'paused', uuid: domainOf(vm).uuid };
  if (verb === 'stop') return { kind: 'gone', uuid: domainOf(vm).uuid };
  if (verb === 'define') return { kind: 'defined', uuid: domainOf(vm).uuid, name: vm };
  if (verb === 'undefine') return { kind: 'undefined', uuid: domainOf(vm).uuid };
  throw new Error(`unknown event of a domain: ${text}`);
};

/** `a` runs and is transient, `a*` runs and is defined, `(a)` is only defined, `a=x` has channel x, `a=-` has none. */
export const showKnown = (known: readonly KnownDomain[] | undefined): string =>
  known === undefined
    ? 'unknown'
    : known
        .map(({ uuid, id, persistent, channel }) => {
          const name = id === undefined ? `(${uuid})` : `${uuid}${persistent ? '*' : ''}`;
          return channel === undefined ? name : `${name}=${channel ?? '-'}`;
        })
        .join(' ') || 'none';
