import { CLOSING, METRIC_END, OPENING } from '../../model/metrics-xml.ts';
import type { MetricsXml } from '../../model/metrics-xml.ts';
import { RESERVED, sumOf } from './format.ts';
import { FRONT, PADDING_MOST } from './checksum-padding.ts';
import type { Padding } from './checksum-padding.ts';

const HEAD = Buffer.from(OPENING.trimEnd(), 'latin1');
const SPACED_OPENING = `${OPENING.trimEnd()}${' '.repeat(FRONT)}\n`;
const TAIL = Buffer.from(`\n${CLOSING}`, 'latin1');

/** What of a snapshot fits on a disk, and how many metrics do not. */
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
 * Chooses what to publish on a disk of `size` bytes: the host first (if need be only its first metrics), then whole
 * domains in their order up to the first that does not fit. None behind that one is taken, even if it is smaller: so
 * it depends on the domains before it only whether a domain is in, and a far one does not come and go with the others.
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

/** A document up to where its white space goes; `bytes` has room behind `length` for that and for the end. */
export interface DocumentBuffer {
  readonly bytes: Buffer;
  readonly length: number;
  /** The sum of the document with spaces in front and nothing behind. */
  readonly sum: number;
}

const ROOM = PADDING_MOST + TAIL.length;

const body = (bytes: Buffer, length: number): DocumentBuffer => ({
  bytes,
  length,
  sum: (sumOf(bytes, 0, length) + sumOf(TAIL, 0, TAIL.length)) >>> 0,
});

// An eighth more than is needed now: lengths of values vary, and there may be thousands of disks with some KiB each.
const roomFor = (needed: number): number => Math.ceil((needed * 1.125) / 1024) * 1024;

/** Puts the parts together, in the given memory if that is large enough. */
export const compose = (parts: readonly string[], memory: Buffer): DocumentBuffer => {
  const needed = parts.reduce((sum, part) => sum + part.length, SPACED_OPENING.length + ROOM);
  const bytes = memory.length < needed ? Buffer.allocUnsafeSlow(roomFor(needed)) : memory;
  let at = bytes.write(SPACED_OPENING, 'latin1');
  for (const part of parts) at += bytes.write(part, at, 'latin1');
  return body(bytes, at - 1);
};

/** The document without metrics. */
export const emptyBody = (): DocumentBuffer => compose([], Buffer.alloc(SPACED_OPENING.length + ROOM));

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

/** Takes a document apart that stands on a disk; undefined if it has not the form of a document. */
export const decompose = (content: Buffer): DocumentBuffer | undefined => {
  let start = HEAD.length;
  let end = content.length - TAIL.length;
  if (end < start || !content.subarray(0, start).equals(HEAD) || !content.subarray(end).equals(TAIL)) return undefined;
  while (isBlank(content[start])) start += 1;
  if (content[start] !== 0x0a) return undefined;
  while (isBlank(content[end - 1])) end -= 1;
  // Without metrics the white space in front is all that there is, and the line break behind it that of the end.
  const metrics = start < end ? content.toString('latin1', start + 1, end + 1) : '';
  return compose([metrics], Buffer.alloc(SPACED_OPENING.length + metrics.length + ROOM));
};

/** Completes a document with its white space. */
export const withPadding = ({ bytes, length }: DocumentBuffer, { front, spaces, tabs }: Padding): Buffer => {
  const end = length + spaces + tabs;
  bytes.fill(' ', HEAD.length, HEAD.length + FRONT - front);
  bytes.fill('\t', HEAD.length + FRONT - front, HEAD.length + FRONT);
  bytes.fill(' ', length, length + spaces);
  bytes.fill('\t', length + spaces, end);
  TAIL.copy(bytes, end);
  return bytes.subarray(0, end + TAIL.length);
};

/** Whether two documents are the same but for that white space. */
export const sameBody = (one: DocumentBuffer, other: DocumentBuffer): boolean =>
  one.length === other.length &&
  one.bytes.compare(other.bytes, HEAD.length + FRONT, other.length, HEAD.length + FRONT, one.length) === 0;
