import { VALUE_TYPES, type MetricDefinition, type Outcome, type Sample } from '../../model/metric.ts';
import { type Checked, checkValue, escapeForLog, removeInvalidXml } from '../../model/value.ts';
import { attributeValue, type XmlElement } from '../../xml/element.ts';
import { lineOf, parseXml } from '../../xml/parse.ts';
import { XmlError } from '../../xml/positions.ts';
import { failed, measured, sample } from './samples.ts';

const ATTRIBUTES = new Set(['type', 'context', 'id', 'uuid', 'unit']);
// Output of XML libraries starts with it (XML 1.0, production 23).
const DECLARATION = /^\s*<\?xml\s+version\s*=[^<>?]*\?>/;
// `<metrics>`, `<metric>`, `<name>`, and a few that a message can name.
const MAX_DEPTH = 8;

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
    if (error instanceof Refusal) return failed(error.message);
    throw error;
  }
};

class Refusal extends Error {}

const parse = (output: string): readonly XmlElement[] => {
  const text = removeInvalidXml(output).replace(DECLARATION, '');
  // In well-formed XML these characters occur only as such markup.
  const markup = /<!--|<!\[CDATA\[|<!DOCTYPE|<!|<\?/i.exec(text)?.[0];
  if (markup !== undefined) throw new Refusal(`"${markup}" is not allowed; only <metric> elements are`);
  const wrapped = `<metrics>${text}</metrics>`;
  try {
    return elements(parseXml(wrapped, { root: 'metrics', depth: MAX_DEPTH }));
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const line = lineOf(wrapped, error.index);
    throw new Refusal(`not well-formed XML in line ${line}: ${escapeForLog(error.message, 128)}`);
  }
};

const elements = ({ name, children, hasText }: XmlElement): readonly XmlElement[] => {
  if (hasText) throw new Refusal(`text beside the elements of <${escapeForLog(name, 64)}>`);
  return children;
};

const readMetric = (metric: MetricDefinition, element: XmlElement, printed: Checked[]): Sample => {
  const { name: tag, attributes } = element;
  if (tag !== 'metric') throw new Refusal(`<${escapeForLog(tag, 64)}> is not allowed; only <metric> is`);
  const unknown = [...attributes.keys()].find((attribute) => !ATTRIBUTES.has(attribute));
  if (unknown !== undefined) throw new Refusal(`<metric> has no attribute ${escapeForLog(unknown, 64)}`);
  const [typeText = '', context = '', unit = ''] = ['type', 'context', 'unit'].map((key) =>
    attributeValue(element, key),
  );
  const type = VALUE_TYPES.find((known) => known === typeText);
  if (type === undefined)
    throw new Refusal(`type "${escapeForLog(typeText, 64)}" is none of ${VALUE_TYPES.join(', ')}`);
  if (context !== 'host' && context !== 'vm')
    throw new Refusal(`context "${escapeForLog(context, 64)}" is neither host nor vm`);
  if (context === 'vm' && metric.context === 'host')
    throw new Refusal("a value for a VM; give the metric context='vm', then the action runs for each VM");
  const [name, value, ...more] = elements(element);
  if (name?.name !== 'name' || value?.name !== 'value' || more.length > 0)
    throw new Refusal('<metric> takes exactly <name> and <value>, in this order');
  const checkedName = checkValue('string', textOf(name));
  if (!checkedName.ok) throw new Refusal('a <name> is empty');
  const checked = checkValue(type, textOf(value));
  if (!checked.ok) throw new Refusal(`${escapeForLog(checkedName.value, 64)}: ${checked.reason}`);
  printed.push(checked);
  return sample({ name: checkedName.value, unit: unit.trim() }, type, checked.value);
};

const textOf = ({ name, attributes, children, text }: XmlElement): string => {
  if (attributes.size > 0) throw new Refusal(`<${name}> takes no attributes`);
  if (children.length > 0) throw new Refusal(`<${name}> takes text only`);
  return text;
};
