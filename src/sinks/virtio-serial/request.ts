/** What a guest asked: for the metrics, or for something that does not exist. */
export type Request = 'metrics' | 'invalid';

/** How far a request has come; its bytes themselves are not kept. */
export interface Reading {
  /** Bytes of the request so far. */
  readonly length: number;
  /** They are the start of the request with LF, or of that with CR LF, as line ends. */
  readonly lf: boolean;
  readonly crlf: boolean;
  readonly line: 'empty' | 'cr' | 'text';
  /** It has been too long, and is skipped up to the next blank line. */
  readonly skipping: boolean;
}

/** A request that is complete, or none if the bytes came to their end; `at` is the first byte that was not read. */
export interface Step {
  readonly reading: Reading;
  readonly at: number;
  readonly request?: Request;
}

/** Longer than this without a blank line it is no request. */
export const LONGEST_REQUEST = 512;

/** What a guest sends, and all that is understood. */
export const REQUEST = 'GET /metrics/XML\n\n';
const WITH_LF = Buffer.from(REQUEST);
const WITH_CRLF = Buffer.from(REQUEST.replaceAll('\n', '\r\n'));

const LF = 10;
const CR = 13;

/** Before the first byte of a request. */
export const START: Reading = { length: 0, lf: true, crlf: true, line: 'empty', skipping: false };

/** Reads on to the end of the next request. Blank lines before a request mean nothing and get no answer. */
export const readRequest = (reading: Reading, bytes: Uint8Array, from = 0, to = bytes.length): Step => {
  let { length, lf, crlf, line, skipping } = reading;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at];
    if (length === LONGEST_REQUEST && !skipping)
      return { reading: { length, lf: false, crlf: false, line, skipping: true }, at, request: 'invalid' };
    const before = line;
    line = byte === LF ? 'empty' : byte === CR && before === 'empty' ? 'cr' : 'text';
    lf &&= byte === WITH_LF[length];
    crlf &&= byte === WITH_CRLF[length];
    if (!skipping) length += 1;
    if (byte !== LF || before === 'text') continue;
    const nothing = length === (before === 'cr' ? 2 : 1);
    const silent = skipping || nothing;
    const valid = (lf && length === WITH_LF.length) || (crlf && length === WITH_CRLF.length);
    if (!silent) return { reading: START, at: at + 1, request: valid ? 'metrics' : 'invalid' };
    ({ length, lf, crlf, line, skipping } = START);
  }
  return { reading: { length, lf, crlf, line, skipping }, at: to };
};
