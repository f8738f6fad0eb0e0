import { XMLParser, XMLValidator } from 'fast-xml-parser';

import { VALUE_TYPES, type MetricDefinition, type Outcome, type Sample } from '../../model/metric.ts';
import { type Checked, checkValue, escapeForLog, removeInvalidXml } from '../../model/value.ts';
import { failed, measured, sample } from './samples.ts';

// fast-xml-parser's ordered form: one key is the element's name or #text, `:@` holds the attributes.
type Node = Readonly<Record<string, unknown>>;
interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Node[];
}

const ATTRIBUTES = new Set(['type', 'context', 'id', 'uuid', 'unit']);
// Output of XML libraries starts with it (XML 1.0, production 23).
const DECLARATION = /^\s*<\?xml\s+version\s*=[^<>?]*\?>/;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  maxNestedTags: 8,
});

/**
 * Reads the output of a metric of type xml: a sequence of `<metric type context [id uuid] [unit]><name/><value/>
 * </metric>`. It becomes samples, so that none of its text is published as markup. Its id and uuid are ignored: the
 * configuration determines the domain.
 */
export const readXml = (metric: MetricDefinition, output: string): Outcome => {
  try {
    const printed: Checked[] = [];
    const samples = parse(output).map((element) => readMetric(metric, element, printed));
    return measured(samples, printed);
  } catch (error) {
    return failed(
      error instanceof Refusal ? error.message : 'the XML cannot be read: nested too deeply or forbidden names',
    );
  }
};

class Refusal extends Error {}

const parse = (output: string): readonly Element[] => {
  const text = removeInvalidXml(output).replace(DECLARATION, '');
  // In well-formed XML these characters occur only as such markup.
  const markup = /<!--|<!\[CDATA\[|<!DOCTYPE|<!|<\?/i.exec(text)?.[0];
  if (markup !== undefined) throw new Refusal(`"${markup}" is not allowed; only <metric> elements are`);
  const wrapped = `<metrics>${text}</metrics>`;
  const valid = XMLValidator.validate(wrapped);
  if (valid !== true)
    throw new Refusal(`not well-formed XML in line ${valid.err.line}: ${escapeForLog(valid.err.msg, 128)}`);
  const roots = parser.parse(wrapped) as readonly Node[];
  // Output that closes our root and opens another one makes two roots.
  if (roots.length !== 1) throw new Refusal('not well-formed XML: a closing tag that nothing opened');
  return elements(toElement(roots[0]!));
};

const toElement = (node: Node): Element => {
  const name = Object.keys(node).find((key) => key !== ':@') ?? '';
  return {
    name,
    attributes: (node[':@'] ?? {}) as Element['attributes'],
    children: Array.isArray(node[name]) ? (node[name] as readonly Node[]) : [],
  };
};

const elements = ({ name, children }: Element): readonly Element[] =>
  children.flatMap((child) => {
    if (!('#text' in child)) return [toElement(child)];
    if (String(child['#text']).trim() !== '')
      throw new Refusal(`text beside the elements of <${escapeForLog(name, 64)}>`);
    return [];
  });

const readMetric = (
  metric: MetricDefinition,
  { name: tag, attributes, children }: Element,
  printed: Checked[],
): Sample => {
  if (tag !== 'metric') throw new Refusal(`<${escapeForLog(tag, 64)}> is not allowed; only <metric> is`);
  const unknown = Object.keys(attributes).find((attribute) => !ATTRIBUTES.has(attribute));
  if (unknown !== undefined) throw new Refusal(`<metric> has no attribute ${escapeForLog(unknown, 64)}`);
  const { type: typeText = '', context = '' } = attributes;
  const type = VALUE_TYPES.find((known) => known === typeText);
  if (type === undefined)
    throw new Refusal(`type "${escapeForLog(typeText, 64)}" is none of ${VALUE_TYPES.join(', ')}`);
  if (context !== 'host' && context !== 'vm')
    throw new Refusal(`context "${escapeForLog(context, 64)}" is neither host nor vm`);
  if (context === 'vm' && metric.context === 'host')
    throw new Refusal("a value for a VM; give the metric context='vm', then the action runs for each VM");
  const [name, value, ...more] = elements({ name: tag, attributes, children });
  if (name?.name !== 'name' || value?.name !== 'value' || more.length > 0)
    throw new Refusal('<metric> takes exactly <name> and <value>, in this order');
  const checkedName = checkValue('string', textOf(name));
  if (!checkedName.ok) throw new Refusal('a <name> is empty');
  const checked = checkValue(type, textOf(value));
  if (!checked.ok) throw new Refusal(`${escapeForLog(checkedName.value, 64)}: ${checked.reason}`);
  printed.push(checked);
  return sample({ name: checkedName.value, unit: decode(attributes['unit'] ?? '').trim() }, type, checked.value);
};

const textOf = ({ name, attributes, children }: Element): string => {
  if (Object.keys(attributes).length > 0) throw new Refusal(`<${name}> takes no attributes`);
  return children
    .map((child) => {
      if (!('#text' in child)) throw new Refusal(`<${name}> takes text only`);
      return decode(String(child['#text']));
    })
    .join('');
};

// The five entities of XML and character references; without a DOCTYPE there are no others.
const decode = (text: string): string =>
  text.replace(/&([^;&]{0,16});?/g, (reference, body: string) => {
    const [, hexadecimal, decimal] = /^#(?:x([\dA-Fa-f]+)|(\d+))$/.exec(body) ?? [];
    const code = hexadecimal === undefined ? Number(decimal ?? NaN) : Number.parseInt(hexadecimal, 16);
    const character = code <= 0x10_ff_ff ? removeInvalidXml(String.fromCodePoint(code)) : ENTITIES[body];
    if (!reference.endsWith(';') || character === undefined || character === '')
      throw new Refusal(`"${escapeForLog(reference, 64)}" is not a reference that XML knows`);
    return character;
  });
