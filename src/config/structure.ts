import { GRAMMAR, ROOT } from './grammar.ts';
import type { ElementRule, Particle } from './grammar.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { XmlElement } from '../xml/element-tree.ts';

/** Reports an error at an index of the text. `see`: index of a related place, whose line is added to the message. */
export type Report = (index: number, message: string, see?: number) => void;

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

/** A child element with the index of its particle in the content model. */
interface Ranked {
  readonly element: XmlElement;
  readonly rank: number;
}

const unknown = (child: XmlElement, parent: XmlElement, { model }: ElementRule, names: readonly string[]): string =>
  `Unknown element ${tag(child.name)} in ${tag(parent.name)}: expected, in this order: ${model}` +
  didYouMean(child.name, names, tag);

// Weight of a required element: it outweighs any number of optional ones, which are reported as misplaced instead.
const REQUIRED = 10_000;

interface Sequence {
  readonly weight: number;
  readonly last: Ranked;
  readonly before: Sequence | undefined;
}

const heavier = (a: Sequence | undefined, b: Sequence | undefined): Sequence | undefined =>
  (b?.weight ?? 0) > (a?.weight ?? 0) ? b : a;

/** Returns the ascending subsequence of the greatest weight. All other elements are out of order. */
const inOrder = (ranked: readonly Ranked[], content: readonly Particle[]): readonly Ranked[] => {
  // By rank: the best sequence that ends there.
  const best: (Sequence | undefined)[] = content.map(() => undefined);
  for (const last of ranked) {
    const before = best.slice(0, last.rank + 1).reduce(heavier, undefined);
    const weight = (before?.weight ?? 0) + (content[last.rank]?.optional === true ? 1 : REQUIRED);
    best[last.rank] = { weight, last, before };
  }
  const kept: Ranked[] = [];
  for (let end = best.reduce(heavier, undefined); end !== undefined; end = end.before) kept.push(end.last);
  return kept.reverse();
};

/** Reports an element that is out of order, and its right place relative to the nearest element that is in order. */
const reportOrder = ({ element, rank }: Ranked, ordered: readonly Ranked[], report: Report): void => {
  const before = ordered.findLast((other) => other.rank < rank);
  const late = before !== undefined && before.element.index > element.index;
  const neighbour = late ? before : ordered.find((other) => other.rank > rank);
  if (neighbour === undefined) return;
  const several = ordered.filter((other) => other.rank === neighbour.rank).length > 1;
  const where = late ? (several ? 'after the last' : 'after') : several ? 'before the first' : 'before';
  const message = `${tag(element.name)} must come ${where} ${tag(neighbour.element.name)}`;
  report(element.index, message, neighbour.element.index);
};

/** Reports children that are unknown, repeated, out of order or missing. */
const checkOrder = (element: XmlElement, rule: ElementRule, content: readonly Particle[], report: Report): void => {
  const names = content.flatMap((particle) => particle.names);
  const seen = new Set<number>();
  const ranked: Ranked[] = [];
  for (const child of element.children) {
    const rank = content.findIndex((particle) => particle.names.includes(child.name));
    const particle = content[rank];
    if (particle === undefined) report(child.index, unknown(child, element, rule, names));
    else if (!particle.repeated && seen.has(rank)) {
      const once = `${tags(particle.names)} may occur only once`;
      report(child.index, `Repeated ${tag(child.name)} in ${tag(element.name)}: ${once}`);
    } else ranked.push({ element: child, rank });
    seen.add(rank);
  }
  const ordered = inOrder(ranked, content);
  const kept = new Set(ordered);
  for (const one of ranked) if (!kept.has(one)) reportOrder(one, ordered, report);
  content.forEach(({ names: missing, optional }, rank) => {
    if (optional || seen.has(rank)) return;
    report(element.index, `${tag(element.name)} lacks ${tags(missing)}; expected, in this order: ${rule.model}`);
  });
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

/** Reports every departure of a tree from the grammar: exactly what a validation against the DTD would refuse. */
export const checkStructure = (root: XmlElement, report: Report): void => {
  if (root.name === ROOT) checkElement(root, report);
  else report(root.index, `Unknown root element ${tag(root.name)}: expected ${tag(ROOT)}`);
};
