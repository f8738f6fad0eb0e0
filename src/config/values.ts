import type { Report } from './structure.ts';
import { didYouMean, quote } from '../model/suggest.ts';
import type { XmlElement } from '../xml/element-tree.ts';

/** Collects errors and warnings while a tree becomes a Config. */
export interface Reporter {
  readonly error: Report;
  readonly warn: Report;
}

/** A text of the file. `what` names it in messages. */
export interface Text {
  readonly what: string;
  readonly value: string;
  readonly index: number;
}

const KIB = 1024;
const BLOCK = 64 * KIB;
const MAX_SIZE = 256 * KIB * KIB;
const UNITS = ['k', 'K', 'KiB', 'm', 'M', 'MiB'] as const;

/** Trims white space of XML only: a no-break space is a character like any other. */
export const trim = (text: string): string => text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');

/** Returns the first child of a name. The check of the structure has reported a missing one already. */
export const child = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element?.children.find((candidate) => candidate.name === name);

/** Returns the trimmed text of an element. */
export const textOf = (element: XmlElement): Text => ({
  what: `<${element.name}>`,
  value: trim(element.text),
  index: element.textIndex,
});

/** Returns the value of an attribute, or undefined without one. */
export const attributeOf = (element: XmlElement, name: string): Text | undefined => {
  const attribute = element.attributes.get(name);
  return attribute && { what: `${name} of <${element.name}>`, value: attribute.value, index: attribute.valueIndex };
};

/** Reads a whole decimal number within a range; `meaning` names its unit. */
export const integer = (
  { what, value, index }: Text,
  { min, max, meaning }: { readonly min: number; readonly max: number; readonly meaning: string },
  { error }: Reporter,
): number | undefined => {
  const digits = trim(value);
  const number = Number(digits);
  if (/^[0-9]+$/.test(digits) && number >= min && number <= max) return number;
  error(
    index,
    `${what} must be a whole number (digits only) of ${meaning} from ${min} to ${max}, found ${quote(value)}`,
  );
  return undefined;
};

/** Reads a line of text: not empty, and without control characters, which no reader of the metrics expects. */
export const line = ({ what, value, index }: Text, { error }: Reporter): string | undefined => {
  if (value === '') error(index, `${what} is empty; write its text`);
  else if (/\p{Cc}/u.test(value))
    error(index, `${what} contains a control character or line break, found ${quote(value)}; remove it`);
  else return value;
  return undefined;
};

/** Reads an absolute path of a file or directory. */
export const absolutePath = (text: Text, reporter: Reporter): string | undefined => {
  const path = line(text, reporter);
  if (path === undefined || path.startsWith('/')) return path;
  reporter.error(text.index, `${text.what} must be an absolute path, found ${quote(path)}; start it with "/"`);
  return undefined;
};

// Like the C daemon, looks at the first letter only: existing files have KB, kib and megabytes.
const sizeUnit = ({ value, index }: Text, { error, warn }: Reporter): 'KiB' | 'MiB' | undefined => {
  const unit = /^k/i.test(value) ? 'KiB' : /^m/i.test(value) ? 'MiB' : undefined;
  if (unit === undefined) {
    const hint = didYouMean(value, UNITS);
    error(index, `Unknown unit ${quote(value)} of <size>: expected one of ${UNITS.join(', ')}${hint}`);
  } else if (!UNITS.some((known) => known === value)) {
    warn(index, `unit ${quote(value)} of <size> is taken as ${unit}; write ${unit}`);
  }
  return unit;
};

/** Reads `<size unit="k|m">` as bytes: rounded up to blocks of 64 KiB, which libmetrics reads; 256 MiB at most. */
export const diskSize = (element: XmlElement, reporter: Reporter): number | undefined => {
  const text = textOf(element);
  const unitText = attributeOf(element, 'unit');
  const unit = unitText && sizeUnit(unitText, reporter);
  if (unit === undefined) return undefined;
  const factor = unit === 'KiB' ? KIB : KIB * KIB;
  const number = integer(text, { min: 1, max: MAX_SIZE / factor, meaning: unit }, reporter);
  if (number === undefined) return undefined;
  const size = Math.ceil((number * factor) / BLOCK) * BLOCK;
  if (size !== number * factor) {
    reporter.warn(
      text.index,
      `Size ${number} ${unit} is rounded up to ${size / KIB} KiB: guests read whole blocks of 64 KiB`,
    );
  }
  return size;
};

/** True for an element without text, which the C daemon ignored; warns. `advice`: the value used, and what to do. */
export const isEmpty = (element: XmlElement, advice: string, { warn }: Reporter): boolean => {
  if (textOf(element).value !== '') return false;
  warn(element.index, `<${element.name}> is empty: ${advice}`);
  return true;
};
