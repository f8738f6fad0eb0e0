import { at, readComment, readDoctype, readInstruction, readUntil } from './prolog.ts';
import { checkReferences, NAME, NOT_A_CHARACTER } from './references.ts';
import { XmlError } from './positions.ts';

/** Indexes of an attribute's name and of the first character inside its quotes. */
export interface AttributePlace {
  readonly index: number;
  readonly valueIndex: number;
}

/** Positions in a start tag, which fast-xml-parser does not report. */
export interface StartTag {
  readonly attributes: ReadonlyMap<string, AttributePlace>;
  /** Index behind the tag's `>`. */
  readonly end: number;
}

/** Checked markup. `text` is as long as the file but has only tags, text and CDATA sections. */
export interface Markup {
  readonly text: string;
  readonly startTags: ReadonlyMap<number, StartTag>;
}

/** Placeholder for a removed character inside the root. XML 1.0 forbids it in files, so it cannot collide. */
export const HOLE = '\uFFFF';

const MAX_DEPTH = 50;
const name = new RegExp(NAME, 'uy');
const attribute = new RegExp(`([ \\t\\n]+)(${NAME})([ \\t\\n]*=[ \\t\\n]*)("[^<"]*"|'[^<']*')`, 'uy');
const tagEnd = /[ \t\n]*(\/?)>/y;
const closingEnd = /[ \t\n]*>/y;
const blank = /[ \t\n]*/y;
/** Names that make fast-xml-parser throw. The grammar has none of them. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** True for names that fast-xml-parser cannot read: it takes U+FEFF, which XML allows in names, for white space. */
const isForeign = (found: string): boolean => RESERVED.has(found) || found.includes('\uFEFF');

const readStartTag = (text: string, index: number, tagName: string): StartTag & { readonly empty: boolean } => {
  const attributes = new Map<string, AttributePlace>();
  let end = index + 1 + tagName.length;
  for (let found = at(attribute, text, end); found !== null; found = at(attribute, text, end)) {
    const [whole, space = '', attributeName = '', equals = ''] = found;
    const start = end + space.length;
    const valueIndex = start + attributeName.length + equals.length + 1;
    end += whole.length;
    checkReferences(text, valueIndex, end);
    if (isForeign(attributeName)) throw new XmlError(start, `Unknown attribute "${attributeName}" on <${tagName}>.`);
    if (attributes.has(attributeName)) {
      throw new XmlError(start, `Attribute "${attributeName}" is given twice on <${tagName}>; remove one.`);
    }
    attributes.set(attributeName, { index: start, valueIndex });
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

const checkText = (text: string, from: number, to: number, depth: number): void => {
  const piece = text.slice(from, to);
  const outside = depth === 0 ? piece.search(/[^ \t\n]/) : -1;
  if (outside >= 0) throw new XmlError(from + outside, 'Text outside of <vhostmd>; expected <vhostmd> or a comment.');
  const stray = piece.indexOf(']]>');
  if (stray >= 0) throw new XmlError(from + stray, '"]]>" is not allowed in text; write ]]&gt;.');
  checkReferences(text, from, to);
};

const checkCharacters = (text: string): void => {
  const bad = NOT_A_CHARACTER.exec(text);
  if (bad === null) return;
  const code = bad[0].codePointAt(0) ?? 0;
  const what = code === 0 ? 'A NUL byte' : `Character U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new XmlError(bad.index, `${what} is not allowed in XML; expected plain text in UTF-8.`);
};

/**
 * Checks what fast-xml-parser's validator does not: characters, references, prolog, a single root, the inside of tags.
 *
 * @throws XmlError at the first error.
 */
export const checkMarkup = (text: string): Markup => {
  checkCharacters(text);
  const startTags = new Map<number, StartTag>();
  const parts: string[] = [];
  let doctypes = 0;
  let roots = 0;
  let depth = 0;
  let index = 0;
  const keep = (end: number): void => {
    parts.push(text.slice(index, end));
    index = end;
  };
  const drop = (end: number): void => {
    parts.push((depth > 0 ? HOLE : ' ').repeat(end - index));
    index = end;
  };
  const tag = (): void => {
    const closing = text[index + 1] === '/';
    const tagName = at(name, text, index + (closing ? 2 : 1))?.[0];
    if (tagName === undefined)
      throw new XmlError(index, 'A "<" that starts no tag; write &lt; for the character itself.');
    if (isForeign(tagName)) throw new XmlError(index, `Unknown element <${tagName}>.`);
    if (closing) {
      const nameEnd = index + 2 + tagName.length;
      const close = at(closingEnd, text, nameEnd);
      if (close === null) throw new XmlError(nameEnd, `Closing tag </${tagName}> is not well-formed; expected ">".`);
      if (depth-- === 0) throw new XmlError(index, `Closing tag </${tagName}> closes nothing; remove it.`);
      keep(nameEnd + close[0].length);
      return;
    }
    if (depth === 0 && ++roots > 1)
      throw new XmlError(index, `A second root element <${tagName}>; only one is allowed.`);
    if (depth >= MAX_DEPTH) throw new XmlError(index, `Elements are nested deeper than ${MAX_DEPTH} levels.`);
    const start = readStartTag(text, index, tagName);
    startTags.set(index, start);
    parts.push(text.slice(index, start.end).replace(/[\n\t]/g, ' '));
    index = start.end;
    if (!start.empty) depth++;
  };
  while (index < text.length) {
    if (text[index] !== '<') {
      const next = text.indexOf('<', index);
      const end = next < 0 ? text.length : next;
      checkText(text, index, end, depth);
      keep(end);
    } else if (text.startsWith('<!--', index)) drop(readComment(text, index));
    else if (text.startsWith('<?', index)) drop(readInstruction(text, index));
    else if (text.startsWith('<![CDATA[', index) && depth > 0) keep(readUntil(text, index, 9, ']]>', 'CDATA section'));
    else if (text.startsWith('<!DOCTYPE', index) && roots + doctypes++ === 0) drop(readDoctype(text, index));
    else tag();
  }
  if (roots === 0) throw new XmlError(0, 'No element found; expected <vhostmd>.');
  return { text: parts.join(''), startTags };
};
