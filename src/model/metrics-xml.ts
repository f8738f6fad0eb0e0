import type { Domain, DomainMetrics, Sample, Snapshot } from './metric.ts';

/** The `<metric>` elements of one domain, as whole lines. */
export interface DomainXml {
  readonly domain: Domain;
  readonly xml: string;
  /** Number of metrics in `xml`. */
  readonly count: number;
}

/** Parts of a {@link document} between its first and last line: ASCII, whole lines that end in LF, no blank line. */
export interface MetricsXml {
  readonly host: string;
  /** Number of metrics in `host`. */
  readonly hostCount: number;
  /** Domains without a metric are left out. */
  readonly domainMetrics: readonly DomainXml[];
}

interface Part {
  readonly xml: string;
  readonly count: number;
}

/** First and last line of every document. Readers expect `<metrics>` at byte 0 and LF after the end tag. */
export const OPENING = '<metrics>\n';
export const CLOSING = '</metrics>\n';
/** Last line of every metric. Escaping keeps it out of values, so a document can be cut after it. */
export const METRIC_END = '  </metric>\n';

// Controls other than tab, LF and CR, and U+FFFE and U+FFFF, are not characters of XML 1.0.
// oxlint-disable-next-line no-control-regex
const DISALLOWED = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const SPECIAL = /[^ !#$%(-;=?-~]/;
const EVERY_SPECIAL = /[^ !#$%(-;=?-~]/gu;
const ENTITIES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  "'": '&apos;',
  '"': '&quot;',
};

const reference = (character: string): string => {
  const code = character.codePointAt(0) ?? 0xfffd;
  const lone = code >= 0xd800 && code <= 0xdfff;
  return ENTITIES[character] ?? `&#x${(lone ? 0xfffd : code).toString(16).toUpperCase()};`;
};

/** Escapes text for an element or a quoted attribute: ASCII on one line. Drops characters that XML 1.0 forbids. */
export const escapeXml = (text: string): string =>
  SPECIAL.test(text) ? text.replace(DISALLOWED, '').replace(EVERY_SPECIAL, reference) : text;

const clean = (text: string): string =>
  SPECIAL.test(text) ? escapeXml(text.replace(DISALLOWED, '').trim()) : text.trim();

const metric = (sample: Sample, attributes: string): string => {
  const name = clean(sample.name);
  const value = clean(sample.value);
  if (name === '' || value === '') return '';
  const unit = sample.unit === undefined ? '' : clean(sample.unit);
  const start = `  <metric type='${sample.type}' ${attributes}${unit === '' ? '' : ` unit='${unit}'`}>\n`;
  return `${start}    <name>${name}</name>\n    <value>${value}</value>\n${METRIC_END}`;
};

// `join` makes a flat string. Concatenation makes a rope, which writers must flatten: half as fast in all.
const part = (samples: readonly Sample[], attributes: string): Part => {
  const metrics = samples.map((sample) => metric(sample, attributes)).filter((xml) => xml !== '');
  return { xml: metrics.join(''), count: metrics.length };
};

const memoised = <Key extends WeakKey, Value>(make: (key: Key) => Value): ((key: Key) => Value) => {
  const known = new WeakMap<Key, Value>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = make(key);
    known.set(key, made);
    return made;
  };
};

/** Serialises the host. */
export const hostXml = memoised((samples: readonly Sample[]): Part => part(samples, "context='host'"));

/** Serialises one domain. */
export const domainXml = memoised(({ domain, samples }: DomainMetrics): DomainXml => {
  const uuid = escapeXml(domain.uuid);
  return { domain, ...part(samples, `context='vm' id='${domain.id}' uuid='${uuid}'`) };
});

// The last list and its XML: of ten thousand domains, one may have changed since.
const last: { from: readonly DomainMetrics[]; xml: readonly DomainXml[] } = { from: [], xml: [] };

const domainXmls = (domainMetrics: readonly DomainMetrics[]): readonly DomainXml[] => {
  const { from, xml } = last;
  let start = 0;
  while (start < from.length && from[start] === domainMetrics[start]) start += 1;
  let end = 0;
  while (end < from.length - start && from.at(-1 - end) === domainMetrics.at(-1 - end)) end += 1;
  last.from = domainMetrics;
  const changed = domainMetrics.slice(start, domainMetrics.length - end).map(domainXml);
  // `concat` copies, which a spread does item by item.
  last.xml = xml.slice(0, start).concat(changed, xml.slice(xml.length - end));
  return last.xml.filter(({ count }) => count > 0);
};

/**
 * Serialises a snapshot for a {@link document}. Parts that keep their object are serialised once, for all sinks and
 * snapshots.
 */
export const metricsXml = memoised(({ host, domainMetrics }: Snapshot): MetricsXml => {
  const { xml, count } = hostXml(host);
  return {
    host: xml,
    hostCount: count,
    domainMetrics: domainXmls(domainMetrics),
  };
});

/**
 * Builds a whole XML document, as the metrics disk holds it: host metrics first, then domain by domain.
 *
 * @example
 * ```ts
 * import { document, metricsXml, type Snapshot } from 'vhostmd';
 *
 * const bytesOf = (snapshot: Snapshot): Buffer => Buffer.from(document(metricsXml(snapshot)));
 * ```
 */
export const document = ({ host, domainMetrics }: Pick<MetricsXml, 'host' | 'domainMetrics'>): string =>
  OPENING + host + domainMetrics.map(({ xml }) => xml).join('') + CLOSING;
