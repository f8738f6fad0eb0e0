import { CLOSING, METRIC_END, OPENING } from '../../metrics-xml.ts';
import type { MetricsXml } from '../../metrics-xml.ts';
import { CHUNK, RESERVED, sumOf, wholeChunks } from './format.ts';
import { PADDING_MOST } from './unique-sum.ts';
import type { Padding } from './unique-sum.ts';

/** The line break before the end tag and the end tag: what stands behind the white space that makes a sum unique. */
const TAIL = Buffer.from(`\n${CLOSING}`, 'latin1');

/** What of a snapshot fits on a disk, and how many metrics do not. */
export interface Fit {
  readonly parts: readonly string[];
  readonly hostCount: number;
  readonly guestCount: number;
  readonly guests: number;
  readonly leftOut: number;
}

const wholeMetrics = (xml: string, room: number): string => {
  if (xml.length <= room) return xml;
  const last = xml.lastIndexOf(METRIC_END, room - METRIC_END.length);
  return last < 0 ? '' : xml.slice(0, last + METRIC_END.length);
};

/**
 * Chooses what to publish on a disk of `size` bytes: the host first (if need be only its first metrics), then whole
 * domains in their order up to the first that does not fit. None behind that one is taken, even if it is smaller: so
 * it depends on the domains before it only whether a domain is in, and a far one does not come and go with the others.
 */
export const fit = ({ host, hostCount, guests }: MetricsXml, size: number): Fit => {
  const room = size - RESERVED - PADDING_MOST - OPENING.length - CLOSING.length;
  const hostPart = wholeMetrics(host, room);
  let left = hostPart === host ? room - host.length : -1;
  const refused = guests.findIndex(({ xml }) => (left -= xml.length) < 0);
  const taken = refused < 0 ? guests : guests.slice(0, refused);
  const count = (some: typeof guests): number => some.reduce((sum, guest) => sum + guest.count, 0);
  const hostTaken = hostPart === host ? hostCount : hostPart.split(METRIC_END).length - 1;
  const guestCount = count(taken);
  return {
    parts: [hostPart, ...taken.map(({ xml }) => xml)],
    hostCount: hostTaken,
    guestCount,
    guests: taken.length,
    leftOut: hostCount + count(guests) - hostTaken - guestCount,
  };
};

/** A document up to where its white space goes; `bytes` has room behind `length` for that and for the end. */
export interface Body {
  readonly bytes: Buffer;
  readonly length: number;
  /** The sum of the document without white space. */
  readonly sum: number;
}

const spare = PADDING_MOST + TAIL.length;

const body = (bytes: Buffer, length: number): Body => ({
  bytes,
  length,
  sum: (sumOf(bytes, 0, length) + sumOf(TAIL, 0, TAIL.length)) >>> 0,
});

/** Puts the parts together, in the given memory if that is large enough. */
export const compose = (parts: readonly string[], memory: Buffer): Body => {
  const length = parts.reduce((sum, part) => sum + part.length, OPENING.length);
  const bytes = memory.length < length + spare ? Buffer.allocUnsafeSlow(wholeChunks(length + spare + CHUNK)) : memory;
  let at = bytes.write(OPENING, 'latin1');
  for (const part of parts) at += bytes.write(part, at, 'latin1');
  return body(bytes, at - 1);
};

/** The document without metrics. */
export const emptyBody = (): Body => compose([], Buffer.alloc(0));

/** Takes a document apart that stands on a disk; undefined if it has not the form of a document. */
export const decompose = (content: Buffer): Body | undefined => {
  if (content.toString('latin1', 0, OPENING.length - 1) !== OPENING.trimEnd()) return undefined;
  const end = content.length - TAIL.length;
  if (end < 0 || !content.subarray(end).equals(TAIL)) return undefined;
  let length = end;
  while (content[length - 1] === 0x20 || content[length - 1] === 0x09) length -= 1;
  return body(Buffer.concat([content.subarray(0, length), Buffer.alloc(spare)]), length);
};

/** Completes a document with white space, at the end of its last line but one; returns its length. */
export const seal = ({ bytes, length }: Body, { spaces, tabs }: Padding): number => {
  bytes.fill(' ', length, length + spaces);
  bytes.fill('\t', length + spaces, length + spaces + tabs);
  return length + spaces + tabs + TAIL.copy(bytes, length + spaces + tabs);
};

/** Whether two documents are the same but for white space at the end. */
export const sameBody = (one: Body, other: Body): boolean =>
  one.length === other.length && one.bytes.compare(other.bytes, 0, other.length, 0, one.length) === 0;
