import koffi from 'koffi';
import { describe, expect, it, vi } from 'vitest';

import { decodeTypedParams, typedParameter } from '../../../src/sources/libvirt/typed-params.ts';

// struct _virTypedParameter of libvirt-common.h on 64-bit machines.
const parameter = (name: string, type: number, write: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.alloc(96);
  bytes.write(name, 'latin1');
  bytes.writeInt32LE(type, 80);
  write(bytes.subarray(88));
  return bytes;
};

describe('Typed parameters', () => {
  it('of every type are decoded, numbers of 64 bits exactly', () => {
    const text = Buffer.from('vnet0 \u00E9\0', 'utf8');
    const all = Buffer.concat([
      parameter('int', 1, (at) => at.writeInt32LE(-5)),
      parameter('uint', 2, (at) => at.writeUInt32LE(4_294_967_295)),
      parameter('llong', 3, (at) => at.writeBigInt64LE(-9_007_199_254_740_993n)),
      parameter('ullong', 4, (at) => at.writeBigUInt64LE(18_446_744_073_709_551_615n)),
      parameter('double', 5, (at) => at.writeDoubleLE(0.25)),
      parameter('boolean', 6, (at) => at.writeInt8(1)),
      parameter('string', 7, (at) => at.writeBigUInt64LE(koffi.address(text))),
      parameter('x'.repeat(80), 1, (at) => at.writeInt32LE(7)),
    ]);
    expect(decodeTypedParams(koffi.address(all), 8)).toEqual(
      new Map<string, unknown>([
        ['int', -5],
        ['uint', 4_294_967_295],
        ['llong', -9_007_199_254_740_993n],
        ['ullong', 18_446_744_073_709_551_615n],
        ['double', 0.25],
        ['boolean', 1],
        ['string', 'vnet0 \u00E9'],
        ['x'.repeat(80), 7],
      ]),
    );
  });

  it('CASE D6: are laid out as the C compiler lays them out here', () => {
    // koffi fills it in for this machine.
    const value = koffi.union({ i: 'int', ul: 'ulonglong', d: 'double' });
    const struct = koffi.struct({ field: koffi.array('char', 80, 'String'), type: 'int', value });
    expect(typedParameter()).toMatchObject({ size: koffi.sizeof(struct), pointer: koffi.sizeof('void *') });
    const at = koffi.alloc(struct, 2);
    koffi.encode(at, struct, { field: 'int', type: 1, value: { i: -7 } });
    koffi.encode(at, koffi.sizeof(struct), struct, { field: 'double', type: 5, value: { d: 0.5 } });
    expect([...decodeTypedParams(koffi.address(at), 2)]).toEqual([
      ['int', -7],
      ['double', 0.5],
    ]);
    koffi.free(at);
  });

  it('CASE D6: are read in the layout and in the byte order of another machine', async () => {
    // A machine with pointers of 4 bytes, alignment to 4 bytes, and the highest byte first.
    const there = {
      sizeof: (type: unknown) => (type === 'void *' ? 4 : 92),
      offsetof: (_: unknown, part: string) => (part === 'type' ? 80 : 84),
    };
    vi.resetModules();
    vi.doMock(import('node:os'), async (original) => ({ ...(await original()), endianness: () => 'BE' }));
    vi.doMock(import('../../../src/system/libc.ts'), async (original) => {
      const { bridge, ...rest } = await original();
      return { ...rest, bridge: () => ({ ...bridge(), ...there }) };
    });
    vi.doMock(import('../../../src/sources/libvirt/bindings.ts'), async (original) => ({
      ...(await original()),
      stringAt: (address) => `text at ${address}`,
    }));
    const other = await import('../../../src/sources/libvirt/typed-params.ts');
    const all = Buffer.alloc(3 * 92);
    const put = (index: number, name: string, type: number): number => {
      all.write(name, index * 92, 'latin1');
      all.writeInt32BE(type, index * 92 + 80);
      return index * 92 + 84;
    };
    all.writeInt32BE(-5, put(0, 'int', 1));
    all.writeBigUInt64BE(9_007_199_254_740_993n, put(1, 'ullong', 4));
    all.writeUInt32BE(4_294_967_295, put(2, 'string', 7));
    expect([...other.decodeTypedParams(koffi.address(all), 3)]).toEqual([
      ['int', -5],
      ['ullong', 9_007_199_254_740_993n],
      ['string', 'text at 4294967295'],
    ]);
    vi.doUnmock('node:os');
    vi.doUnmock('../../../src/system/libc.ts');
    vi.doUnmock('../../../src/sources/libvirt/bindings.ts');
  });

  it('that are none are an empty map, whatever the address', () => {
    expect(decodeTypedParams(0n, 0)).toEqual(new Map());
  });
});
