/** How a page is written. */
export interface Variant {
  readonly format: 'text' | 'openmetrics';
  readonly gzip: boolean;
}

interface Choice {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1; 0 refuses it. */
  readonly q: number;
}

// A header is bounded by the server; this bounds the work for one.
const MOST = 32;

const qOf = (text: string | undefined): number => {
  if (text === undefined) return 1;
  return /^(0(\.\d*)?|1(\.0*)?)$/.test(text) ? Number(text) : 0;
};

/** The choices of an `Accept` or `Accept-Encoding` header (RFC 9110, 12.4.2). */
const choicesOf = (header: string): readonly Choice[] =>
  header
    .toLowerCase()
    .split(',', MOST)
    .map((choice) => {
      const [name = '', ...rest] = choice.split(';').map((part) => part.trim());
      const parameters = new Map(
        rest.map((part) => {
          const [key = '', value = ''] = part.split('=', 2);
          return [key.trim(), value.trim().replace(/^"(.*)"$/, '$1')] as const;
        }),
      );
      return { name, parameters, q: qOf(parameters.get('q')) };
    });

/** The q of the first of the names that is there; the names go from the exact one to the widest. */
const weight = (choices: readonly Choice[], ...names: readonly string[]): number | undefined => {
  for (const name of names) {
    const found = choices.filter((choice) => choice.name === name);
    if (found.length > 0) return Math.max(...found.map(({ q }) => q));
  }
  return undefined;
};

const isOurs = ({ name, parameters }: Choice): boolean =>
  name !== 'application/openmetrics-text' || ['1.0.0', undefined].includes(parameters.get('version'));

/** What a client takes best. The text format without compression serves whoever does not ask for anything. */
export const variantOf = (accept = '', encoding = ''): Variant => {
  const types = choicesOf(accept).filter(isOurs);
  const openmetrics = weight(types, 'application/openmetrics-text') ?? 0;
  const text = weight(types, 'text/plain', 'text/*', '*/*') ?? 0;
  const codings = choicesOf(encoding);
  const gzip = weight(codings, 'gzip', 'x-gzip', '*') ?? 0;
  return {
    format: openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text',
    gzip: gzip > 0 && gzip >= (weight(codings, 'identity') ?? 0),
  };
};
