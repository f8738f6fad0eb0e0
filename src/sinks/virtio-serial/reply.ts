import { CLOSING, domainXml, hostXml, OPENING } from '../../model/metrics-xml.ts';
import type { Snapshot } from '../../model/metric.ts';
import { itemOf, ofDomain } from '../../model/run-order.ts';

/** Comments in place of missing metrics: before the first collection, or if they are too old. */
export const NO_HOST = '<!-- host metrics not available -->\n';
export const NO_VM = '<!-- VM metrics not available -->\n';

/** Reply to anything but a request for the metrics. */
export const INVALID_REQUEST = 'INVALID REQUEST\n\n';

/** End of every reply with metrics, which has no other blank line. */
export const REPLY_END = `${CLOSING}\n`;

/** Makes the reply for one domain: the metrics of the host and its own. Removes all others before making any text. */
export const metricsReply = (snapshot: Snapshot | undefined, uuid: string, id: number): string => {
  if (snapshot === undefined) return OPENING + NO_HOST + NO_VM + REPLY_END;
  const own = itemOf(snapshot.domainMetrics, ofDomain, { uuid, id });
  const host = hostXml(snapshot.host).xml;
  const vm = own === undefined ? '' : domainXml(own).xml;
  return OPENING + (host === '' ? NO_HOST : host) + (vm === '' ? NO_VM : vm) + REPLY_END;
};
