import type { Domain } from '../../model/metric.ts';

const PLAIN = /^[A-Za-z_][\w.+-]*$/;
const PRINTABLE = /^[ -~]+$/;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Returns text as one word of a shell; undefined if it has characters that a terminal might not show. */
export const shellWord = (text: string): string | undefined => {
  if (PLAIN.test(text)) return text;
  return PRINTABLE.test(text) ? `'${text.replaceAll("'", String.raw`'\''`)}'` : undefined;
};

/**
 * Returns a word for commands of virsh that means this domain and no other: its name, or its UUID if the name could be
 * misread as an option, an id or a UUID, or has characters that a terminal might not show.
 */
export const domainWord = ({ name, uuid }: Pick<Domain, 'name' | 'uuid'>): string =>
  name.startsWith('-') || /^\d+$/.test(name) || UUID.test(name) ? uuid : (shellWord(name) ?? uuid);

/** What stands for the placeholders of the decision table's commands. */
export interface Replacements {
  readonly domain: Pick<Domain, 'name' | 'uuid'>;
  readonly disk?: string | undefined;
  readonly interface?: string | undefined;
}

/**
 * Fills the words DOMAIN, vda and INTERFACE of a command or sentence. Undefined if it needs the name of the domain as
 * part of a file's name, and the name is no plain word.
 */
export const filled = (text: string, { domain, disk, interface: nic }: Replacements): string | undefined => {
  const word = domainWord(domain);
  if (text.includes('DOMAIN.pid') && !PLAIN.test(domain.name)) return undefined;
  const of = (found: string): string => {
    if (found === 'DOMAIN') return word;
    const given = found === 'vda' ? disk : nic;
    return (given === undefined ? undefined : shellWord(given)) ?? found;
  };
  return text.replaceAll(/\b(?:DOMAIN|vda|INTERFACE)\b/g, of);
};
