/** Request of a guest: for the metrics, or for anything else. */
export type Request = 'metrics' | 'invalid';

/** State of a partial request, without its bytes. */
export interface Reading {
  /** Number of bytes so far. */
  readonly length: number;
  /** True if the bytes are a start of the request with LF (`lf`) or with CR LF (`crlf`) as line ends. */
  readonly lf: boolean;
  readonly crlf: boolean;
  readonly line: 'empty' | 'cr' | 'text';
  /** True if the request is too long, and is skipped up to the next blank line. */
  readonly skipping: boolean;
}

/** A complete request, or none at the end of the bytes. `at`: index of the first unread byte. */
export interface Step {
  readonly reading: Reading;
  readonly at: number;
  readonly request?: Request;
}

/** Most bytes of a request without a blank line. */
export const LONGEST_REQUEST = 512;

/** The only valid request. */
export const REQUEST = 'GET /metrics/XML\n\n';
const WITH_LF = Buffer.from(REQUEST);
const WITH_CRLF = Buffer.from(REQUEST.replaceAll('\n', '\r\n'));

const LF = 10;
const CR = 13;

/** State before the first byte of a request. */
export const START: Reading = { length: 0, lf: true, crlf: true, line: 'empty', skipping: false };

/** Reads up to the end of the next request. Blank lines before a request are ignored. */
export const readRequest = (reading: Reading, bytes: Uint8Array, from = 0, to = bytes.length): Step => {
  let { length, lf, crlf, line, skipping } = reading;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at];
    if (length === LONGEST_REQUEST && !skipping)
      return { reading: { length, lf, crlf, line, skipping: true }, at, request: 'invalid' };
    const before = line;
    line = byte === LF ? 'empty' : byte === CR && before === 'empty' ? 'cr' : 'text';
    lf &&= byte === WITH_LF[length];
    crlf &&= byte === WITH_CRLF[length];
    length += 1;
    if (byte !== LF || before === 'text') continue;
    const nothing = length === (before === 'cr' ? 2 : 1);
    // A start of the request that ends with a blank line is all of it.
    if (!skipping && !nothing) return { reading: START, at: at + 1, request: lf || crlf ? 'metrics' : 'invalid' };
    ({ length, lf, crlf, line, skipping } = START);
  }
  return { reading: { length, lf, crlf, line, skipping }, at: to };
};
