import { XMLParser, XMLValidator } from 'fast-xml-parser';

import { checkMarkup, HOLE } from './markup.ts';
import type { Markup } from './markup.ts';
import { decodeReferences } from './references.ts';
import { XmlError } from './positions.ts';
import type { Source } from './positions.ts';

export interface XmlAttribute {
  readonly name: string;
  readonly value: string;
  readonly index: number;
  readonly valueIndex: number;
}

/** An element. Indexes are positions in the text of the source. */
export interface XmlElement {
  readonly name: string;
  readonly index: number;
  /** Index behind the end tag. */
  readonly end: number;
  readonly attributes: ReadonlyMap<string, XmlAttribute>;
  readonly children: readonly XmlElement[];
  /** All text directly inside, with references resolved and comments removed. */
  readonly text: string;
  /** Index of the first character that is not white space; that of the element if there is none. */
  readonly textIndex: number;
  /** CDATA counts as text even if it is blank (XML 1.0, validity constraint "Element Valid"). */
  readonly hasText: boolean;
}

interface Span {
  readonly startIndex: number;
  readonly endIndex: number;
}

type Node = Readonly<Record<string, unknown>>;

const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';
const metaData = XMLParser.getMetaDataSymbol() as unknown as string;

const parser = new XMLParser({
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: TEXT,
  cdataPropName: CDATA,
  trimValues: false,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  onDangerousProperty: (name) => name,
});

const VISIBLE = new RegExp(`[^ \\t\\n${HOLE}]`);

const tagName = (node: Node): string => Object.keys(node).find((key) => key !== ATTRIBUTES) ?? '';
const nodes = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as readonly Node[]) : []);
const withoutHoles = (text: string): string => text.replaceAll(HOLE, '');

const textOf = (node: Node): string => {
  if (CDATA in node)
    return nodes(node[CDATA])
      .map(({ [TEXT]: text }) => withoutHoles(String(text)))
      .join('');
  return TEXT in node ? decodeReferences(withoutHoles(String(node[TEXT]))) : '';
};

const isText = (node: Node): boolean => CDATA in node || /[^ \t\n\r]/.test(textOf(node));

const firstText = (markup: Markup, from: number, to: number): number | undefined => {
  const found = markup.text.slice(from, to).search(VISIBLE);
  return found < 0 ? undefined : from + found;
};

/** Returns the index of the first text between the start tag, the children and the end tag. */
const findText = (markup: Markup, from: number, spans: readonly Span[], to: number): number | undefined => {
  let start = from;
  for (const { startIndex, endIndex } of [...spans, { startIndex: to, endIndex: to }]) {
    const found = firstText(markup, start, startIndex);
    if (found !== undefined) return found;
    start = endIndex;
  }
  return undefined;
};

const element = (node: Node, markup: Markup): XmlElement => {
  const name = tagName(node);
  const { startIndex, endIndex } = node[metaData] as Span;
  const start = markup.startTags.get(startIndex);
  const inside = nodes(node[name]);
  const elements = inside.filter((child) => !(TEXT in child || CDATA in child));
  const hasText = inside.some(isText);
  const spans = hasText ? elements.map((child) => child[metaData] as Span) : [];
  const textIndex = hasText ? findText(markup, start?.end ?? startIndex, spans, endIndex) : undefined;
  const attributes = Object.entries((node[ATTRIBUTES] ?? {}) as Readonly<Record<string, string>>);
  return {
    name,
    index: startIndex,
    end: endIndex,
    attributes: new Map(
      attributes.map(([key, value]) => {
        const place = start?.attributes.get(key) ?? { index: startIndex, valueIndex: startIndex };
        return [key, { name: key, value: decodeReferences(value), ...place }];
      }),
    ),
    children: elements.map((child) => element(child, markup)),
    text: inside.map(textOf).join(''),
    textIndex: textIndex ?? startIndex,
    hasText,
  };
};

const unbalanced = (source: Source, message: string, line: number, column: number): XmlError => {
  const open = message.match(/"[^"]+"/g);
  if (message.startsWith("Invalid '[") && open !== null) {
    const names = open.map((quoted) => `<${quoted.slice(1, -1)}>`).join(', ');
    return new XmlError(source.text.length, `The file ends while ${names} are still open; a closing tag is missing.`);
  }
  return new XmlError((source.lineStarts[line - 1] ?? 0) + column - 1, message);
};

/**
 * Parses a source to its root element.
 *
 * @throws XmlError if the text is not well-formed.
 */
export const parseTree = (source: Source): XmlElement => {
  const markup = checkMarkup(source.text);
  const valid = XMLValidator.validate(markup.text);
  if (valid !== true) {
    const { msg, line, col } = valid.err;
    throw unbalanced(source, msg, line, col);
  }
  const root = nodes(parser.parse(markup.text) as unknown).find((node) => !(TEXT in node));
  if (root === undefined) throw new XmlError(0, 'No element found; expected <vhostmd>.');
  return element(root, markup);
};
