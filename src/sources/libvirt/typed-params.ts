import { endianness } from 'node:os';

import { bytesAt, type Pointer, stringAt, typedParameter } from './library.ts';

/** A statistic's value: numbers that need more than 53 bits stay exact. */
export type StatValue = number | bigint | string;

// libvirt's numbers are in the machine's byte order.
const LITTLE = endianness() === 'LE';

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
  const decoded = new Map<string, StatValue>();
  for (let at = 0; at < bytes.length; at += size) {
    const end = bytes.indexOf(0, at);
    const name = bytes.toString('latin1', at, Math.min(end, at + type));
    decoded.set(name, valueOf(view.getInt32(at + type, LITTLE), at + value));
  }
  return decoded;
};
