import { endianness } from 'node:os';

import { bridge } from '../../system/libc.ts';
import { once } from '../../system/once.ts';
import { bytesAt, type Pointer, stringAt } from './bindings.ts';

/** Value of a statistic; integers of more than 53 bits are bigint. */
export type StatValue = number | bigint | string;

// libvirt's numbers are in the machine's byte order.
const LITTLE = endianness() === 'LE';

/** Offsets of the members of virTypedParameter (libvirt-common.h) on this machine, in bytes; the name is at 0. */
export interface TypedParameterLayout {
  readonly size: number;
  readonly type: number;
  readonly value: number;
  /** Size of a pointer. */
  readonly pointer: number;
}

export const typedParameter = once((): TypedParameterLayout => {
  const koffi = bridge();
  const value = koffi.union({
    i: 'int',
    ui: 'uint',
    l: 'longlong',
    ul: 'ulonglong',
    d: 'double',
    b: 'char',
    s: 'void *',
  });
  const struct = koffi.struct({ field: koffi.array('char', 80), type: 'int', value });
  return {
    size: koffi.sizeof(struct),
    type: koffi.offsetof(struct, 'type'),
    value: koffi.offsetof(struct, 'value'),
    pointer: koffi.sizeof('void *'),
  };
});

/** Decodes a C array of virTypedParameter, which must still be allocated. */
export const decodeTypedParams = (params: Pointer, count: number): ReadonlyMap<string, StatValue> => {
  const { size, type, value, pointer } = typedParameter();
  const bytes = bytesAt(params, count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const valueOf = (kind: number, at: number): StatValue => {
    switch (kind) {
      case 1:
        return view.getInt32(at, LITTLE);
      case 2:
        return view.getUint32(at, LITTLE);
      case 3:
        return view.getBigInt64(at, LITTLE);
      case 4:
        return view.getBigUint64(at, LITTLE);
      case 5:
        return view.getFloat64(at, LITTLE);
      case 6:
        return view.getInt8(at);
      default:
        return stringAt(pointer === 8 ? view.getBigUint64(at, LITTLE) : BigInt(view.getUint32(at, LITTLE)));
    }
  };
  return new Map(
    Array.from({ length: count }, (_, index): [string, StatValue] => {
      const at = index * size;
      const name = bytes.toString('latin1', at, Math.min(bytes.indexOf(0, at), at + type));
      return [name, valueOf(view.getInt32(at + type, LITTLE), at + value)];
    }),
  );
};
