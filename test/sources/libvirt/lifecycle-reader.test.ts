import { describe, expect, it, vi } from 'vitest';

import type { Library } from '../../../src/sources/libvirt/bindings.ts';
import type { DomainHandles } from '../../../src/sources/libvirt/domain-handles.ts';
import { lifecycleReader } from '../../../src/sources/libvirt/lifecycle-reader.ts';

const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';
const DOMAIN = { uuid: UUID, id: 3, name: 'web' };

const lib = {
  domainUuid: (_: unknown, bytes: Buffer) => bytes.write(UUID, 'latin1'),
  domainId: () => DOMAIN.id,
  domainName: () => DOMAIN.name,
} as unknown as Library;

const read = (event: number, remembered = DOMAIN) => {
  const handles = { remember: () => remembered, drop: vi.fn<(uuid: string) => void>() };
  const value = lifecycleReader(lib, handles as unknown as DomainHandles)(1n, event);
  return { value, dropped: handles.drop.mock.calls.flat() };
};

describe('A lifecycle event of libvirt', () => {
  // Numbers of virDomainEventType.
  it.each([
    [0, { kind: 'defined', uuid: UUID, name: 'web' }],
    [1, { kind: 'undefined', uuid: UUID }],
    [2, { kind: 'running', domain: DOMAIN }],
    [3, { kind: 'paused', uuid: UUID }],
    [4, { kind: 'running', domain: DOMAIN }],
    [5, { kind: 'gone', uuid: UUID }],
    [6, undefined],
  ])('%i is read', (event, value) => {
    expect(read(event)).toEqual({ value, dropped: event === 5 ? [UUID] : [] });
  });

  it('of a start is of no use where the domain has gone meanwhile', () => {
    expect(read(2, { ...DOMAIN, id: -1 }).value).toBeUndefined();
  });
});
