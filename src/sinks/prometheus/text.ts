import type { Family, Labels, Series } from '../../figures/family.ts';

/** Content type of the text format, version 0.0.4 (prometheus.io, "Exposition formats"). */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

// A page is looked at in terminals, too: no controls, no marks that turn the direction of writing, no lone surrogates.
const UNWANTED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
// Most texts have none of it, and this is faster by far.
const PLAIN = /^[ !#-[\]-~]*$/;
const MOST = 512;

const shown = (text: string): string => {
  const visible = text.replaceAll(/[\t\n\r]/g, ' ').replaceAll(UNWANTED, '\u{fffd}');
  const characters = visible.length > MOST ? [...visible] : [];
  return characters.length > MOST ? `${characters.slice(0, MOST - 1).join('')}…` : visible;
};

/** A label's value between its quotes: escaped, in one line, without controls, 512 characters at most. */
export const labelValue = (text: string): string => {
  if (text.length <= MOST && PLAIN.test(text)) return text;
  return shown(text).replaceAll(/["\\]/g, (character) => `\\${character}`);
};

const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${labelValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

/** `# HELP` and `# TYPE`, as whole lines. */
export const headText = ({ name, help, type }: Omit<Family, 'series'>): string =>
  `# HELP ${name} ${shown(help).replaceAll('\\', '\\\\')}\n# TYPE ${name} ${type}\n`;

const seriesText = (name: string, { suffix, labels, value }: Series): string =>
  `${name}${suffix ?? ''}${labelsText(labels)} ${value}\n`;

/** Whole families as text; those without a series are left out. */
export const familiesText = (families: readonly Family[]): string =>
  families
    .filter(({ series }) => series.length > 0)
    .map((family) => headText(family) + family.series.map((one) => seriesText(family.name, one)).join(''))
    .join('');
