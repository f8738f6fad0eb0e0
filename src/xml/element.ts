export interface XmlAttribute {
  readonly name: string;
  /** With references resolved. */
  readonly value: string;
  readonly index: number;
  /** Index of the first character inside the quotes. */
  readonly valueIndex: number;
}

/** An element. Indexes are positions in the text that was parsed. */
export interface XmlElement {
  readonly name: string;
  readonly index: number;
  /** Index after the element. */
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

/** Returns the first child of a name. */
export const child = (element: XmlElement | undefined, tag: string): XmlElement | undefined =>
  element?.children.find((candidate) => candidate.name === tag);

/** Returns the value of an attribute. */
export const attributeValue = (element: XmlElement | undefined, name: string): string | undefined =>
  element?.attributes.get(name)?.value;
