/** Format and compression of a page. */
export interface Variant {
  readonly format: 'text' | 'openmetrics';
  readonly gzip: boolean;
}

interface Choice {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** From 0 to 1; 0 means not acceptable. */
  readonly q: number;
}

// Most choices that are read. The server limits the header; this limits the work.
const MAX_MEDIA_TYPES = 32;

const qOf = (text: string | undefined): number => {
  if (text === undefined) return 1;
  return /^(0(\.\d*)?|1(\.0*)?)$/.test(text) ? Number(text) : 0;
};

/** Parses the choices of an `Accept` or `Accept-Encoding` header (RFC 9110, 12.4.2). */
const choicesOf = (header: string): readonly Choice[] =>
  header
    .toLowerCase()
    .split(',', MAX_MEDIA_TYPES)
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

/** Returns the q of the first name among the choices. The names go from the most specific to the most general. */
const weight = (choices: readonly Choice[], ...names: readonly string[]): number | undefined => {
  for (const name of names) {
    const found = choices.filter((choice) => choice.name === name);
    if (found.length > 0) return Math.max(...found.map(({ q }) => q));
  }
  return undefined;
};

const isOurs = ({ name, parameters }: Choice): boolean =>
  name !== 'application/openmetrics-text' || ['1.0.0', undefined].includes(parameters.get('version'));

/** Returns the variant that a client prefers; by default the text format without compression. */
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
