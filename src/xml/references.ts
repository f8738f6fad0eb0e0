import { XmlError } from './positions.ts';

/** Characters that start an XML name, for a class of a regular expression (XML 1.0, production 4). */
const START =
  ':A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F' +
  '\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
/** An XML name, as source of a regular expression (XML 1.0, production 5). */
export const NAME = `[${START}][${START}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

const reference = new RegExp(`&(?:#([0-9]+)|#x([0-9A-Fa-f]+)|(${NAME}));`, 'uy');
const references = new RegExp(reference.source, 'gu');

/** Matches a character that XML 1.0 forbids (production 2), lone surrogates included. */
export const NOT_A_CHARACTER = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

const codePoint = (decimal: string | undefined, hex: string | undefined): number =>
  decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(decimal, 10);

const checkReference = (text: string, index: number): void => {
  reference.lastIndex = index;
  const found = reference.exec(text);
  if (found === null)
    throw new XmlError(index, 'An "&" that starts no reference; write &amp; for the character itself.');
  const [whole, decimal, hex, entity] = found;
  if (entity !== undefined) {
    if (ENTITIES.has(entity)) return;
    throw new XmlError(index, `Unknown entity ${whole}; only &amp; &lt; &gt; &quot; &apos; and &#N; are known.`);
  }
  const code = codePoint(decimal, hex);
  if (code > 0x10ffff || NOT_A_CHARACTER.test(String.fromCodePoint(code))) {
    throw new XmlError(index, `${whole} is a character that XML does not allow; remove it.`);
  }
};

/**
 * Checks every `&` in a range.
 *
 * @throws XmlError at the first one that starts no known reference.
 */
export const checkReferences = (text: string, from: number, to: number): void => {
  // A search in the whole text would look at all that follows once for each piece.
  const piece = text.slice(from, to);
  for (let index = piece.indexOf('&'); index >= 0; index = piece.indexOf('&', index + 1)) {
    checkReference(text, from + index);
  }
};

/** Resolves checked references in one pass, so that the result cannot contain further references. */
export const decodeReferences = (text: string): string =>
  text.replace(references, (whole: string, decimal?: string, hex?: string, entity?: string) =>
    entity === undefined ? String.fromCodePoint(codePoint(decimal, hex)) : (ENTITIES.get(entity) ?? whole),
  );
