import { GRAMMAR, ROOT } from './grammar.ts';
import type { ElementRule, Particle } from './grammar.ts';
import { didYouMean, quote } from './suggest.ts';
import type { XmlElement } from './tree.ts';

/** Takes one complaint about the text at an index. */
export type Report = (index: number, message: string) => void;

const tag = (name: string): string => `<${name}>`;
const tags = (names: readonly string[]): string => names.map(tag).join(' or ');

const checkAttributes = (element: XmlElement, { attributes }: ElementRule, report: Report): void => {
  const known = Object.keys(attributes);
  for (const { name, value, index, valueIndex } of element.attributes.values()) {
    const expected = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (expected === undefined) {
      const allowed = known.length === 0 ? 'it takes no attributes' : `expected ${known.join(', ')}`;
      report(index, `Unknown attribute ${quote(name)} on ${tag(element.name)}: ${allowed}${didYouMean(name, known)}`);
    } else if (expected.values !== undefined && !expected.values.includes(value)) {
      const values = expected.values.join(', ');
      const hint = didYouMean(value, expected.values);
      report(valueIndex, `Unknown ${name} ${quote(value)} of ${tag(element.name)}: expected one of ${values}${hint}`);
    }
  }
  for (const [name, { required, values }] of Object.entries(attributes)) {
    if (!required || element.attributes.has(name)) continue;
    const expected = values === undefined ? '' : `, one of ${values.join(', ')}`;
    report(element.index, `${tag(element.name)} lacks the attribute ${name}${expected}`);
  }
};

const unexpected = (
  child: XmlElement,
  parent: XmlElement,
  { model }: ElementRule,
  content: readonly Particle[],
  before: ReadonlySet<string>,
): string => {
  const names = content.flatMap((particle) => particle.names);
  const order = `in ${tag(parent.name)} stand, in this order: ${model}`;
  if (!names.includes(child.name)) {
    return `Unknown element ${tag(child.name)} in ${tag(parent.name)}: ${order}${didYouMean(child.name, names, tag)}`;
  }
  const own = content.find((particle) => particle.names.includes(child.name));
  const twice = own?.repeated === false && own.names.some((name) => before.has(name));
  if (twice) return `${tag(child.name)} is one too many in ${tag(parent.name)}: ${tags(own.names)} stands there once`;
  return `${tag(child.name)} is out of order in ${tag(parent.name)}: ${order}`;
};

/** Walks children and particles side by side; every content model of the grammar can be decided greedily. */
const checkOrder = (element: XmlElement, rule: ElementRule, content: readonly Particle[], report: Report): void => {
  const present = new Set<string>();
  let position = 0;
  let count = 0;
  for (const child of element.children) {
    const found = content.findIndex(
      ({ names, repeated }, index) =>
        names.includes(child.name) && (index > position || (index === position && (count === 0 || repeated))),
    );
    if (found < 0) {
      report(child.index, unexpected(child, element, rule, content, present));
    } else {
      count = found === position ? count + 1 : 1;
      position = found;
    }
    present.add(child.name);
  }
  for (const { names, optional } of content) {
    if (!optional && !names.some((name) => present.has(name))) {
      report(element.index, `${tag(element.name)} lacks ${tags(names)}; expected, in this order: ${rule.model}`);
    }
  }
};

const checkElement = (element: XmlElement, report: Report): void => {
  const rule = GRAMMAR.get(element.name);
  if (rule === undefined) return;
  checkAttributes(element, rule, report);
  if (rule.content === 'text') {
    for (const child of element.children) {
      report(child.index, `Unexpected element ${tag(child.name)} in ${tag(element.name)}, which holds text only`);
    }
    return;
  }
  if (element.hasText) {
    report(element.textIndex, `Unexpected text in ${tag(element.name)}, which holds elements only: ${rule.model}`);
  }
  checkOrder(element, rule, rule.content, report);
  const known = new Set(rule.content.flatMap(({ names }) => names));
  for (const child of element.children) if (known.has(child.name)) checkElement(child, report);
};

/** Reports everything in which a tree departs from the grammar: exactly what the DTD would refuse, never more. */
export const checkStructure = (root: XmlElement, report: Report): void => {
  if (root.name === ROOT) checkElement(root, report);
  else report(root.index, `Unknown root element ${tag(root.name)}: expected ${tag(ROOT)}`);
};
