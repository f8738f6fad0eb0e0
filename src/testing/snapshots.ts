import type { DomainMetrics, Sample, Snapshot } from '../model/metric.ts';

/** A value of type string. */
export const sample = (name: string, value: string): Sample => ({ name, type: 'string', value });

/** A domain with the given metrics; its uuid is made of its id. */
export const ofDomain = (id: number, ...samples: readonly Sample[]): DomainMetrics => ({
  domain: { id, uuid: `6be3fdb8-bef5-6fec-b1b7-${String(id).padStart(12, '0')}`, name: `vm${id}` },
  samples,
});

/** A snapshot of the given values. */
export const snapshot = (
  tick: number,
  host: readonly Sample[] = [sample('Tick', `tick ${tick}`)],
  domainMetrics: readonly DomainMetrics[] = [],
): Snapshot => ({ cause: 'tick', tick, at: tick * 5000, host, domainMetrics, missing: [] });
