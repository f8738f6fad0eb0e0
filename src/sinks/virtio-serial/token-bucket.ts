/** A token bucket on an injected clock, without a timer: it is updated on use. */
export interface Bucket {
  /** Returns the milliseconds until so many tokens are available, or 0. */
  readonly wait: (tokens: number) => number;
  /** Spends tokens, even if they are not available yet. */
  readonly spend: (tokens: number) => void;
}

/** Makes a full bucket, to which `perSecond` tokens are added up to `burst`. `now`: clock in milliseconds. */
export const tokenBucket = (perSecond: number, burst: number, now: () => number): Bucket => {
  // The bucket outlives the connections that spend from it.
  let tokens = burst;
  let at = now();
  const fill = (): void => {
    const moment = now();
    tokens = Math.min(burst, tokens + ((moment - at) / 1000) * perSecond);
    at = moment;
  };
  return {
    wait: (wanted) => {
      fill();
      return Math.max(0, Math.ceil(((wanted - tokens) / perSecond) * 1000));
    },
    spend: (spent) => {
      fill();
      tokens -= spent;
    },
  };
};
