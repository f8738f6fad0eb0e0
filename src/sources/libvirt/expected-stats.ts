import type { Domain } from '../../model/metric.ts';
import type { DomainStats } from './types.ts';

// Collections in a row after which a domain that had more statistics before counts as having fewer: on an overloaded
// host its monitor may be held at every try.
const LESS_BELIEVED = 10;

/** Number of statistics that each domain is expected to have. */
export interface ExpectedStats {
  readonly isWhole: (stats: DomainStats) => boolean;
  /** The domain has answered before. */
  readonly isKnown: (domain: Domain) => boolean;
  /** Takes the last answer of a collection. It is partial as long as the domain may have more. */
  readonly judged: (stats: DomainStats) => DomainStats;
  /** Takes an answer that is whole, or believed: so many are expected from now on. */
  readonly learn: (stats: DomainStats) => void;
}

/** `wanted`: number of statistics expected of a domain without an answer yet. `found`: number of them in an answer. */
export const expectedStats = (wanted: number, found: (stats: DomainStats) => number): ExpectedStats => {
  const known = new WeakMap<Domain, number>();
  const partsInARow = new WeakMap<Domain, number>();
  return {
    isWhole: (stats) => found(stats) >= (known.get(stats.domain) ?? wanted),
    isKnown: (domain) => known.has(domain),
    judged: (stats) => {
      const { domain } = stats;
      if (!known.has(domain)) return stats;
      const times = (partsInARow.get(domain) ?? 0) + 1;
      partsInARow.set(domain, times);
      return times < LESS_BELIEVED ? { ...stats, partial: true } : stats;
    },
    learn: (stats) => {
      known.set(stats.domain, found(stats));
      partsInARow.delete(stats.domain);
    },
  };
};
