import { CLOSING, metricsXml, OPENING } from '../../model/metrics-xml.ts';
import type { Snapshot } from '../../model/metric.ts';

/** In the place of metrics that there are none of: before they are collected, or when they are too old. */
export const NO_HOST = '<!-- host metrics not available -->\n';
export const NO_VM = '<!-- VM metrics not available -->\n';

/** The answer to whatever is not a request for the metrics. */
export const INVALID_REQUEST = 'INVALID REQUEST\n\n';

/** Ends every reply with metrics; what is before it holds no blank line. */
export const REPLY_END = `${CLOSING}\n`;

/** The answer to one domain: the host's metrics and its own. All others' are taken away before any text is made. */
export const metricsReply = (snapshot: Snapshot | undefined, uuid: string, id: number): string => {
  if (snapshot === undefined) return OPENING + NO_HOST + NO_VM + REPLY_END;
  const own = snapshot.domainMetrics.filter(({ domain }) => domain.uuid === uuid && domain.id === id);
  const { host, domainMetrics } = metricsXml({ ...snapshot, domainMetrics: own });
  const vm = domainMetrics.map(({ xml }) => xml).join('');
  return OPENING + (host === '' ? NO_HOST : host) + (vm === '' ? NO_VM : vm) + REPLY_END;
};
