import { at, readComment, readDoctype, readInstruction, readUntil } from './prolog.ts';
import { checkReferences, decodeReferences, NAME, NOT_A_CHARACTER } from './references.ts';
import { XmlError } from './positions.ts';
import type { XmlAttribute, XmlElement } from './element.ts';

interface XmlOptions {
  /** Expected name of the root, for messages and the DOCTYPE. */
  readonly root: string;
  /** Most levels of elements; the default is libxml2's. */
  readonly depth?: number;
}

/** An element whose end tag has not been read. */
interface Open {
  readonly name: string;
  readonly index: number;
  readonly parent: Open | undefined;
  readonly depth: number;
}

const name = new RegExp(NAME, 'uy');
const attribute = new RegExp(`([ \\t\\r\\n]+)(${NAME})([ \\t\\r\\n]*=[ \\t\\r\\n]*)("[^<"]*"|'[^<']*')`, 'uy');
const tagEnd = /[ \t\r\n]*(\/?)>/y;
const closingEnd = /[ \t\r\n]*>/y;
const blank = /[ \t\r\n]*/y;

/** Returns the number of the line of an index, from 1. */
export const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length;

const checkCharacters = (text: string): void => {
  const bad = NOT_A_CHARACTER.exec(text);
  if (bad === null) return;
  const code = bad[0].codePointAt(0) ?? 0;
  const what = code === 0 ? 'A NUL byte' : `Character U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new XmlError(bad.index, `${what} is not allowed in XML; expected plain text in UTF-8.`);
};

const readName = (text: string, index: number, tag: number): string => {
  const found = at(name, text, index)?.[0];
  if (found === undefined) throw new XmlError(tag, 'A "<" that starts no tag; write &lt; for the character itself.');
  return found;
};

const resolved = (piece: string, index: number): string => {
  if (!piece.includes('&')) return piece;
  checkReferences(piece, index);
  return decodeReferences(piece);
};

const readStartTag = (text: string, index: number, tagName: string) => {
  const attributes = new Map<string, XmlAttribute>();
  let end = index + 1 + tagName.length;
  for (let found = at(attribute, text, end); found !== null; found = at(attribute, text, end)) {
    const [whole, space = '', key = '', equals = '', quoted = ''] = found;
    const start = end + space.length;
    const valueIndex = start + key.length + equals.length + 1;
    end += whole.length;
    if (attributes.has(key))
      throw new XmlError(start, `Attribute "${key}" is given twice on <${tagName}>; remove one.`);
    // White space in an attribute is blanks (XML 1.0, section 3.3.3).
    const value = resolved(quoted.slice(1, -1).replace(/[\t\n]/g, ' '), valueIndex);
    attributes.set(key, { name: key, value, index: start, valueIndex });
  }
  const close = at(tagEnd, text, end);
  if (close === null) {
    const where = end + (at(blank, text, end)?.[0].length ?? 0);
    const literal = attributes.size === 0 ? ' (a "<" that starts no tag is written &lt;)' : '';
    throw new XmlError(
      where,
      `Tag <${tagName}> is not well-formed: expected name="value", ">" or "/>" here${literal}.`,
    );
  }
  return { attributes, end: end + close[0].length, empty: close[1] === '/' };
};

/** Reads an end tag, which must be that of `open`, and returns the index after it. */
const readEndTag = (text: string, index: number, open?: Open): number => {
  const tagName = readName(text, index + 2, index);
  const nameEnd = index + 2 + tagName.length;
  const close = at(closingEnd, text, nameEnd);
  if (close === null) throw new XmlError(nameEnd, `Closing tag </${tagName}> is not well-formed; expected ">".`);
  if (open === undefined) throw new XmlError(index, `Closing tag </${tagName}> closes nothing; remove it.`);
  if (open.name === tagName) return nameEnd + close[0].length;
  const column = open.index - text.lastIndexOf('\n', open.index);
  const opened = `opened in line ${lineOf(text, open.index)}, col ${column}`;
  throw new XmlError(index, `Expected closing tag '${open.name}' (${opened}) instead of closing tag '${tagName}'.`);
};

const unclosed = (text: string, open: Open): XmlError => {
  if (open.parent === undefined) return new XmlError(open.index, `Unclosed tag '${open.name}'.`);
  const names: string[] = [];
  for (let one: Open | undefined = open; one !== undefined; one = one.parent) names.unshift(`<${one.name}>`);
  return new XmlError(text.length, `The text ends while ${names.join(', ')} are still open; a closing tag is missing.`);
};

const readElement = (text: string, index: number, most: number, parent?: Open): XmlElement => {
  const tagName = readName(text, index + 1, index);
  const depth = (parent?.depth ?? 0) + 1;
  if (depth > most) throw new XmlError(index, `Elements are nested deeper than ${most} levels.`);
  const open: Open = { name: tagName, index, parent, depth };
  const start = readStartTag(text, index, tagName);
  const children: XmlElement[] = [];
  let { end } = start;
  let content = '';
  let textIndex: number | undefined;
  let hasText = false;
  while (!start.empty) {
    const next = text.indexOf('<', end);
    const piece = text.slice(end, next < 0 ? text.length : next);
    const stray = piece.indexOf(']]>');
    if (stray >= 0) throw new XmlError(end + stray, '"]]>" is not allowed in text; write ]]&gt;.');
    const decoded = resolved(piece, end);
    const visible = piece.search(/[^ \t\r\n]/);
    if (visible >= 0) textIndex ??= end + visible;
    hasText ||= /[^ \t\r\n]/.test(decoded);
    content += decoded;
    if (next < 0) throw unclosed(text, open);
    if (text.startsWith('</', next)) {
      end = readEndTag(text, next, open);
      break;
    }
    if (text.startsWith('<!--', next)) end = readComment(text, next);
    else if (text.startsWith('<?', next)) end = readInstruction(text, next);
    else if (text.startsWith('<![CDATA[', next)) {
      end = readUntil(text, next, 9, ']]>', 'CDATA section');
      content += text.slice(next + 9, end - 3);
      textIndex ??= next;
      hasText = true;
    } else {
      const element = readElement(text, next, most, open);
      children.push(element);
      ({ end } = element);
    }
  }
  const { attributes } = start;
  const at = hasText ? (textIndex ?? index) : index;
  return { name: tagName, index, end, attributes, children, text: content, textIndex: at, hasText };
};

/**
 * Parses a text to its root element. A DOCTYPE may only name an external DTD, which is never read, so nothing expands.
 *
 * @throws XmlError at the first place where the text is not well-formed.
 */
export const parseXml = (text: string, { root, depth = 256 }: XmlOptions): XmlElement => {
  checkCharacters(text);
  let found: XmlElement | undefined;
  let doctypes = 0;
  let index = 0;
  while (index < text.length) {
    if (text[index] !== '<') {
      const outside = text.slice(index).search(/[^ \t\r\n]/);
      if (outside < 0) break;
      index += outside;
      if (text[index] !== '<') throw new XmlError(index, `Text outside of <${root}>; expected <${root}> or a comment.`);
    } else if (text.startsWith('<!--', index)) index = readComment(text, index);
    else if (text.startsWith('<?', index)) index = readInstruction(text, index);
    else if (text.startsWith('<!DOCTYPE', index) && found === undefined && doctypes++ === 0)
      index = readDoctype(text, index, root);
    else if (text.startsWith('</', index)) index = readEndTag(text, index);
    else if (found !== undefined) {
      const second = readName(text, index + 1, index);
      throw new XmlError(index, `A second root element <${second}>; only one is allowed.`);
    } else {
      found = readElement(text, index, depth);
      index = found.end;
    }
  }
  if (found === undefined) throw new XmlError(0, `No element found; expected <${root}>.`);
  return found;
};
