import type { Domain, DomainMetrics, Sample, Snapshot } from './metric.ts';

/** One domain's `<metric>` elements, as whole lines. */
export interface DomainXml {
  readonly domain: Domain;
  readonly xml: string;
  /** How many metrics `xml` holds. */
  readonly count: number;
}

/** The inner parts of a document: pure ASCII, LF only, whole lines, no blank line. */
export interface MetricsXml {
  readonly host: string;
  /** How many metrics `host` holds. */
  readonly hostCount: number;
  /** Domains without a single metric are left out. */
  readonly domainMetrics: readonly DomainXml[];
}

interface Part {
  readonly xml: string;
  readonly count: number;
}

/** First and last line of every document: exactly `<metrics>` at byte 0, and LF after the end tag. */
export const OPENING = '<metrics>\n';
export const CLOSING = '</metrics>\n';
/** Last line of every metric; escaping keeps it out of values, so a text of metrics can be cut behind it. */
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

/** Text for an element or a quoted attribute: ASCII on one line; what XML 1.0 does not allow is dropped. */
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

// Joined, not added up piece by piece: the writers then find the text in one piece, which is twice as fast in all.
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

const hostXml = memoised((samples: readonly Sample[]): Part => part(samples, "context='host'"));

const domainXml = memoised(({ domain, samples }: DomainMetrics): DomainXml => {
  const uuid = escapeXml(domain.uuid);
  return { domain, ...part(samples, `context='vm' id='${domain.id}' uuid='${uuid}'`) };
});

/** The XML of a snapshot. Parts of equal identity are serialised once, for all sinks and snapshots. */
export const metricsXml = memoised(({ host, domainMetrics }: Snapshot): MetricsXml => {
  const { xml, count } = hostXml(host);
  return {
    host: xml,
    hostCount: count,
    domainMetrics: domainMetrics.map(domainXml).filter((domain) => domain.count > 0),
  };
});

/** A whole document: host metrics first, then domain by domain. */
export const document = ({ host, domainMetrics }: Pick<MetricsXml, 'host' | 'domainMetrics'>): string =>
  OPENING + host + domainMetrics.map(({ xml }) => xml).join('') + CLOSING;
