import { baseUnit } from '../../model/units.ts';

/** A base unit of Prometheus, and the factor that converts a value to it. */
export interface Unit {
  /** Suffix of the metric's name; empty for none. */
  readonly name: string;
  readonly factor: number;
}

export const NO_UNIT: Unit = { name: '', factor: 1 };
const MAX_UNIT_LENGTH = 30;

/** Converts text to a part of a metric's name: lower case, digits and single underscores. */
export const nameOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');

const amountOf = (text: string): Unit => {
  const known = baseUnit(text);
  if (known !== undefined) return { name: known.base, factor: known.factor };
  return { name: nameOf(text).slice(0, MAX_UNIT_LENGTH).replace(/_+$/, ''), factor: 1 };
};

/** Looks up the unit of a `unit` attribute; an unknown one becomes the suffix of the name as it is. */
export const unitOf = (text: string | undefined): Unit => {
  if (text === undefined) return NO_UNIT;
  const amount = /^(.*)\/s(?:ec)?$/is.exec(text.trim())?.[1];
  if (amount === undefined || amount.includes('/')) return amountOf(text);
  const { name, factor } = amountOf(amount);
  return { name: name === '' ? 'per_second' : `${name}_per_second`, factor };
};
