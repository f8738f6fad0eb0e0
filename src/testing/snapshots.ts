import type { DomainMetrics, Sample, Snapshot } from '../model/metric.ts';

/** Makes a value of type string. */
export const sample = (name: string, value: string): Sample => ({ name, type: 'string', value });

/** Makes a domain with the given metrics. Its UUID is derived from its id, its name is `vmID`. */
export const ofDomain = (id: number, ...samples: readonly Sample[]): DomainMetrics => ({
  domain: { id, uuid: `6be3fdb8-bef5-6fec-b1b7-${String(id).padStart(12, '0')}`, name: `vm${id}` },
  samples,
});

/**
 * Makes a snapshot of the given values, 5 s after that of the tick before. By default it has one host metric, `Tick`,
 * with the value `tick N`.
 *
 * @example
 * ```ts
 * import { ofDomain, sample, snapshot } from 'vhostmd/testing';
 *
 * const busy = snapshot(1, [sample('Load', '3.5')], [ofDomain(1, sample('CPU', '12'))]);
 * ```
 */
export const snapshot = (
  tick: number,
  host: readonly Sample[] = [sample('Tick', `tick ${tick}`)],
  domainMetrics: readonly DomainMetrics[] = [],
): Snapshot => ({ cause: 'tick', tick, at: tick * 5000, host, domainMetrics, missing: [] });
