import { readFileSync } from 'node:fs';

import { DtdValidator, ParseOption, XmlDocument, XmlDtd } from 'libxml2-wasm';

import { toSource, XmlError } from '../../src/xml/positions.ts';
import { checkStructure } from '../../src/config/structure.ts';
import { parseTree } from '../../src/xml/element-tree.ts';

/** Verdict on a text: not XML, XML that breaks the grammar, or valid. */
export type Verdict = 'malformed' | 'invalid' | 'valid';

export const readConf = (name: string): string => readFileSync(new URL(`../../conf/${name}`, import.meta.url), 'utf8');

const validator = new DtdValidator(XmlDtd.fromString(readConf('vhostmd.dtd')));

const parse = (text: string): XmlDocument | undefined => {
  try {
    return XmlDocument.fromString(text, { option: ParseOption.XML_PARSE_NONET });
  } catch {
    return undefined;
  }
};

/** Returns libxml2's verdict by conf/vhostmd.dtd. A DTD allows any root, so its name is checked here. */
export const libxml2Verdict = (text: string): Verdict => {
  const document = parse(text);
  if (document === undefined) return 'malformed';
  try {
    const { name } = document.root;
    validator.validate(document);
    return name === 'vhostmd' ? 'valid' : 'invalid';
  } catch {
    return 'invalid';
  } finally {
    document.dispose();
  }
};

/** Returns this program's verdict on well-formedness and structure alone; `message` has the reasons. */
export const ourVerdict = (text: string): { readonly verdict: Verdict; readonly message: string } => {
  try {
    const messages: string[] = [];
    checkStructure(parseTree(toSource('test.xml', text)), (_index, message) => messages.push(message));
    return { verdict: messages.length === 0 ? 'valid' : 'invalid', message: messages.join('\n') };
  } catch (error) {
    if (error instanceof XmlError) return { verdict: 'malformed', message: error.message };
    throw error;
  }
};
