import type { Domain, DomainEvent } from '../../../src/metric.ts';

// A VM is a letter, its uuid, with libvirt's id behind it: b7; without one the id is its place in the alphabet.
const domainOf = (text: string): Domain => {
  const [, uuid = '', id = ''] = /^([a-z])(\d*)$/.exec(text) ?? [];
  if (uuid === '') throw new Error(`expected a VM like a or a7, found: ${text}`);
  return { uuid, id: id === '' ? uuid.charCodeAt(0) - 96 : Number(id), name: uuid };
};

/** `sync a b`, `start a`, `resume a`, `pause a`, `stop a`, `lost`. */
export const domainEventOf = (text: string): DomainEvent => {
  const [verb, ...vms] = text.split(' ');
  const [vm = ''] = vms;
  if (verb === 'sync') return { kind: 'sync', domains: vms.map(domainOf) };
  if (verb === 'lost' && vms.length === 0) return { kind: 'lost', reason: 'lost' };
  if (vms.length !== 1) throw new Error(`unknown event of a domain: ${text}`);
  if (verb === 'start' || verb === 'resume') return { kind: 'running', domain: domainOf(vm) };
  if (verb === 'pause') return { kind: 'paused', uuid: domainOf(vm).uuid };
  if (verb === 'stop') return { kind: 'gone', uuid: domainOf(vm).uuid };
  throw new Error(`unknown event of a domain: ${text}`);
};
