import { bytesAt, type Pointer, stringAt } from './library.ts';

/** A statistic's value: numbers that need more than 53 bits stay exact. */
export type StatValue = number | bigint | string;

// struct _virTypedParameter of libvirt-common.h on 64-bit machines: char field[80]; int type; union value at 88.
const SIZE = 96;
const TYPE = 80;
const VALUE = 88;

const value = (bytes: Buffer, at: number): StatValue => {
  switch (bytes.readInt32LE(at - VALUE + TYPE)) {
    case 1:
      return bytes.readInt32LE(at);
    case 2:
      return bytes.readUInt32LE(at);
    case 3:
      return bytes.readBigInt64LE(at);
    case 4:
      return bytes.readBigUInt64LE(at);
    case 5:
      return bytes.readDoubleLE(at);
    case 6:
      return bytes.readInt8(at);
    default:
      return stringAt(bytes.readBigUInt64LE(at));
  }
};

/** Decodes a C array of virTypedParameter, which must still be allocated. */
export const decodeTypedParams = (params: Pointer, count: number): ReadonlyMap<string, StatValue> => {
  const bytes = bytesAt(params, count * SIZE);
  const decoded = new Map<string, StatValue>();
  for (let at = 0; at < bytes.length; at += SIZE) {
    const end = bytes.indexOf(0, at);
    decoded.set(bytes.toString('latin1', at, Math.min(end, at + TYPE)), value(bytes, at + VALUE));
  }
  return decoded;
};
