import { NAME } from './references.ts';
import { XmlError } from './positions.ts';

const quoted = (pattern: string): string => `(?:"${pattern}"|'${pattern}')`;
const S = '[ \\t\\n]';
const pseudo = (key: string, pattern: string): string => `${S}+${key}${S}*=${S}*${quoted(pattern)}`;
const declaration = new RegExp(
  `<\\?xml${pseudo('version', '1\\.[0-9]+')}(?:${pseudo('encoding', '[A-Za-z][\\w.-]*')})?` +
    `(?:${pseudo('standalone', '(?:yes|no)')})?${S}*\\?>`,
  'y',
);
const instruction = new RegExp(`<\\?(${NAME})(?:${S}(?:(?!\\?>)[^])*)?\\?>`, 'uy');
const publicId = `"[\\w \\n'()+,./:=?;!*#@$%-]*"|'[\\w \\n()+,./:=?;!*#@$%-]*'`;
const doctype = new RegExp(
  `<!DOCTYPE${S}+(${NAME})(?:${S}+(?:SYSTEM|PUBLIC${S}+(?:${publicId}))${S}+("[^"]*"|'[^']*'))?${S}*`,
  'uy',
);

/** Matches a sticky pattern at an index. */
export const at = (pattern: RegExp, text: string, index: number): RegExpExecArray | null => {
  pattern.lastIndex = index;
  return pattern.exec(text);
};

/** Returns the index after the next `end`. `what` names the construct in the error. */
export const readUntil = (text: string, index: number, skip: number, end: string, what: string): number => {
  const found = text.indexOf(end, index + skip);
  if (found < 0) throw new XmlError(index, `The ${what} that starts here never ends; expected "${end}".`);
  return found + end.length;
};

/** Returns the index after a comment. */
export const readComment = (text: string, index: number): number => {
  const end = readUntil(text, index, 4, '--', 'comment');
  if (text[end] !== '>') throw new XmlError(end - 2, 'A comment may not contain "--"; separate the hyphens.');
  return end + 1;
};

/** Returns the index after a processing instruction or the XML declaration. */
export const readInstruction = (text: string, index: number): number => {
  const first = index === 0 && /^<\?xml[ \t\n]/.test(text);
  const found = at(first ? declaration : instruction, text, index);
  // Instructions have no namespace, so no colon (Namespaces in XML 1.0, section 7).
  if (found === null || found[1]?.includes(':') === true) {
    throw new XmlError(index, 'Not well-formed; expected <?xml version="1.0" encoding="UTF-8"?> or nothing here.');
  }
  if (!first && found[1]?.toLowerCase() === 'xml') {
    throw new XmlError(
      index,
      'An XML declaration may only stand at the very start of the file; remove what is before it.',
    );
  }
  return index + found[0].length;
};

/** Returns the index after a document type declaration, which may only name an external DTD. That is never read. */
export const readDoctype = (text: string, index: number): number => {
  const found = at(doctype, text, index);
  const next = index + (found?.[0].length ?? 0);
  if (found !== null && text[next] === '[') {
    throw new XmlError(
      next,
      'A DOCTYPE with an internal subset ("[...]") is refused; remove it and write values in place.',
    );
  }
  if (found === null || text[next] !== '>') {
    throw new XmlError(index, 'The DOCTYPE is not well-formed; expected <!DOCTYPE vhostmd SYSTEM "vhostmd.dtd">.');
  }
  const systemId = found[2] ?? '';
  if (/^.\s*(?:https?|ftp):/i.test(systemId)) {
    const where = index + found[0].lastIndexOf(systemId);
    throw new XmlError(where, 'A DTD on the network is refused (nothing is ever fetched); write SYSTEM "vhostmd.dtd".');
  }
  if (found[1] !== 'vhostmd') {
    throw new XmlError(index, `The DOCTYPE names <${found[1]}>; expected <!DOCTYPE vhostmd SYSTEM "vhostmd.dtd">.`);
  }
  return next + 1;
};
