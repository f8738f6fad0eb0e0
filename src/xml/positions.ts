import { quote } from '../model/suggest.ts';
import type { Place } from '../model/metric.ts';

/** A configuration file as text: line ends are \n, no byte order mark. Positions are indexes into `text`. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly lineStarts: readonly number[];
  /** Sorted indexes of surrogate pairs, so that columns count characters. */
  readonly pairs: readonly number[];
}

/** Thrown at the first place where the text is not XML: nothing after `index` can be trusted. */
export class XmlError extends Error {
  readonly index: number;

  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

/** Largest file that is read, so that a wrong path cannot exhaust the memory; 10,000 metrics take 3 MB. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

const indexes = (text: string, pattern: RegExp): number[] => [...text.matchAll(pattern)].map(({ index }) => index);

/** Makes a source of a text: drops a byte order mark and normalises line ends (XML 1.0, section 2.11). */
export const toSource = (file: string, raw: string): Source => {
  const text = raw.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const lineStarts = [0, ...indexes(text, /\n/g).map((index) => index + 1)];
  return { file, text, lineStarts, pairs: indexes(text, /[\uD800-\uDBFF][\uDC00-\uDFFF]/g) };
};

/** Counts the sorted numbers below a limit. */
const countBelow = (sorted: readonly number[], limit: number): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((sorted[middle] ?? limit) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Returns line and column of an index; both count from 1, columns in characters. */
export const placeAt = ({ file, lineStarts, pairs }: Source, index: number): Place => {
  const line = countBelow(lineStarts, index + 1);
  const start = lineStarts[line - 1] ?? 0;
  return { file, line, column: index - start - (countBelow(pairs, index) - countBelow(pairs, start)) + 1 };
};

const utf8 = () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const decodes = (bytes: Uint8Array, length: number): boolean => {
  try {
    utf8().decode(bytes.subarray(0, length), { stream: true });
    return true;
  } catch {
    return false;
  }
};

const validPrefix = (bytes: Uint8Array): number => {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (decodes(bytes, middle)) low = middle;
    else high = middle - 1;
  }
  return low;
};

const looksLikeUtf16 = ([first, second]: Uint8Array): boolean =>
  (first === 0xff && second === 0xfe) ||
  (first === 0xfe && second === 0xff) ||
  (first === 0x3c && second === 0) ||
  (first === 0 && second === 0x3c);

/** Checks the declared encoding. Any other than UTF-8 passes if the text is ASCII, which all of them share. */
const checkDeclared = (source: Source): { readonly source: Source; readonly problem?: XmlError } => {
  const declared = /^(<\?xml[^>]*?encoding\s*=\s*["'])([^"'>]+)/.exec(source.text);
  const [, before = '', encoding = 'UTF-8'] = declared ?? [];
  if (/^(?:utf-?8|us-ascii)$/i.test(encoding) || /^[\0-\x7F]*$/.test(source.text)) return { source };
  const message = `The file declares the encoding ${quote(encoding)}; only UTF-8 is read: convert it (iconv -t UTF-8) and declare that.`;
  return { source, problem: new XmlError(before.length, message) };
};

/** Decodes the bytes of a file. `problem`: an error of the encoding, with its index in the text. */
export const decodeBytes = (
  file: string,
  bytes: Uint8Array,
): { readonly source: Source; readonly problem?: XmlError } => {
  if (looksLikeUtf16(bytes)) {
    return {
      source: toSource(file, ''),
      problem: new XmlError(0, 'The file is encoded as UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8).'),
    };
  }
  try {
    return checkDeclared(toSource(file, utf8().decode(bytes)));
  } catch {
    const length = validPrefix(bytes);
    const source = toSource(file, utf8().decode(bytes.subarray(0, length), { stream: true }));
    const found = bytes[length] === undefined ? 'the end of the file' : `byte 0x${bytes[length].toString(16)}`;
    return {
      source,
      problem: new XmlError(
        source.text.length,
        `Not valid UTF-8: found ${found} inside a character; save the file as UTF-8.`,
      ),
    };
  }
};
