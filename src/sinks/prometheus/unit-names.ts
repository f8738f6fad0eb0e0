import { baseUnit } from '../../model/units.ts';

/** A unit of Prometheus (base units only) and what a value must be multiplied with to be in it. */
export interface Unit {
  /** Ending of the metric's name; empty: none. */
  readonly name: string;
  readonly factor: number;
}

export const NO_UNIT: Unit = { name: '', factor: 1 };
const MOST = 30;

/** Text as a part of a metric's name: lower case, digits and single underscores. */
export const nameOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');

const amountOf = (text: string): Unit => {
  const known = baseUnit(text);
  if (known !== undefined) return { name: known.base, factor: known.factor };
  return { name: nameOf(text).slice(0, MOST).replace(/_+$/, ''), factor: 1 };
};

/** The unit that a `unit` attribute means; one that is not known becomes the ending of the name as it is. */
export const unitOf = (text: string | undefined): Unit => {
  if (text === undefined) return NO_UNIT;
  const amount = /^(.*)\/s(?:ec)?$/is.exec(text.trim())?.[1];
  if (amount === undefined || amount.includes('/')) return amountOf(text);
  const { name, factor } = amountOf(amount);
  return { name: name === '' ? 'per_second' : `${name}_per_second`, factor };
};
