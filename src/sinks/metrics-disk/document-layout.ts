import { CLOSING, METRIC_END, OPENING } from '../../model/metrics-xml.ts';
import type { MetricsXml } from '../../model/metrics-xml.ts';
import { RESERVED, sumOf } from './format.ts';
import { FRONT, PADDING_MOST } from './checksum-padding.ts';
import type { Padding } from './checksum-padding.ts';

const HEAD = Buffer.from(OPENING.trimEnd(), 'latin1');
const SPACED_OPENING = `${OPENING.trimEnd()}${' '.repeat(FRONT)}\n`;
const TAIL = Buffer.from(`\n${CLOSING}`, 'latin1');

/** The metrics of a snapshot that fit on a disk, and the number of the others. */
export interface Selection {
  readonly parts: readonly string[];
  readonly hostCount: number;
  readonly domainCount: number;
  readonly domains: number;
  readonly leftOut: number;
}

const wholeMetrics = (xml: string, room: number): string => {
  if (xml.length <= room) return xml;
  const last = xml.lastIndexOf(METRIC_END, room - METRIC_END.length);
  return last < 0 ? '' : xml.slice(0, last + METRIC_END.length);
};

/**
 * Selects the metrics for a disk of `size` bytes: the host first (or as many of its metrics as fit), then whole domains
 * in their order up to the first that does not fit. Later ones are left out even if they are smaller, so that a domain
 * depends only on those before it and does not come and go with later ones.
 */
export const select = ({ host, hostCount, domainMetrics }: MetricsXml, size: number): Selection => {
  const room = size - RESERVED - PADDING_MOST - SPACED_OPENING.length - CLOSING.length;
  const hostPart = wholeMetrics(host, room);
  let left = hostPart === host ? room - host.length : -1;
  const refused = domainMetrics.findIndex(({ xml }) => (left -= xml.length) < 0);
  const taken = refused < 0 ? domainMetrics : domainMetrics.slice(0, refused);
  const count = (some: typeof domainMetrics): number => some.reduce((sum, domain) => sum + domain.count, 0);
  const hostTaken = hostPart === host ? hostCount : hostPart.split(METRIC_END).length - 1;
  const domainCount = count(taken);
  return {
    parts: [hostPart, ...taken.map(({ xml }) => xml)],
    hostCount: hostTaken,
    domainCount,
    domains: taken.length,
    leftOut: hostCount + count(domainMetrics) - hostTaken - domainCount,
  };
};

/** A document up to its final white space. `bytes` has room after `length` for that and for the end. */
export interface DocumentBuffer {
  readonly bytes: Buffer;
  readonly length: number;
  /** Checksum of the document with spaces in front and no white space at the end. */
  readonly sum: number;
}

const ROOM = PADDING_MOST + TAIL.length;

const body = (bytes: Buffer, length: number): DocumentBuffer => ({
  bytes,
  length,
  sum: (sumOf(bytes, 0, length) + sumOf(TAIL, 0, TAIL.length)) >>> 0,
});

// An eighth more than needed now, because lengths vary; not more, because there may be thousands of disks.
const roomFor = (needed: number): number => Math.ceil((needed * 1.125) / 1024) * 1024;

/** Joins the parts, in the given memory if it is large enough. */
export const compose = (parts: readonly string[], memory: Buffer): DocumentBuffer => {
  const needed = parts.reduce((sum, part) => sum + part.length, SPACED_OPENING.length + ROOM);
  const bytes = memory.length < needed ? Buffer.allocUnsafeSlow(roomFor(needed)) : memory;
  let at = bytes.write(SPACED_OPENING, 'latin1');
  for (const part of parts) at += bytes.write(part, at, 'latin1');
  return body(bytes, at - 1);
};

/** Makes the document without metrics. */
export const emptyBody = (): DocumentBuffer => compose([], Buffer.alloc(SPACED_OPENING.length + ROOM));

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

/** Parses the document on a disk; undefined if it does not have the form of a document. */
export const decompose = (content: Buffer): DocumentBuffer | undefined => {
  let start = HEAD.length;
  let end = content.length - TAIL.length;
  if (end < start || !content.subarray(0, start).equals(HEAD) || !content.subarray(end).equals(TAIL)) return undefined;
  while (isBlank(content[start])) start += 1;
  if (content[start] !== 0x0a) return undefined;
  while (isBlank(content[end - 1])) end -= 1;
  // Without metrics only the front white space remains, and the line break after it belongs to the end.
  const metrics = start < end ? content.toString('latin1', start + 1, end + 1) : '';
  return compose([metrics], Buffer.alloc(SPACED_OPENING.length + metrics.length + ROOM));
};

/** Completes a document with its white space and its end. */
export const withPadding = ({ bytes, length }: DocumentBuffer, { front, spaces, tabs }: Padding): Buffer => {
  const end = length + spaces + tabs;
  bytes.fill(' ', HEAD.length, HEAD.length + FRONT - front);
  bytes.fill('\t', HEAD.length + FRONT - front, HEAD.length + FRONT);
  bytes.fill(' ', length, length + spaces);
  bytes.fill('\t', length + spaces, end);
  TAIL.copy(bytes, end);
  return bytes.subarray(0, end + TAIL.length);
};

/** True if two documents are equal except for that white space. */
export const sameBody = (one: DocumentBuffer, other: DocumentBuffer): boolean =>
  one.length === other.length &&
  one.bytes.compare(other.bytes, HEAD.length + FRONT, other.length, HEAD.length + FRONT, one.length) === 0;
