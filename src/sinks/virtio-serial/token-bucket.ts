/** A token bucket on an injected clock. Without a timer: it is looked at when somebody wants to spend. */
export interface Bucket {
  /** Milliseconds until so many tokens are there; 0 if they are. */
  readonly wait: (tokens: number) => number;
  /** Takes tokens, also such as are not there yet. */
  readonly spend: (tokens: number) => void;
}

/** `perSecond` tokens come in, up to `burst`; it starts full. `now` in milliseconds. */
export const tokenBucket = (perSecond: number, burst: number, now: () => number): Bucket => {
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
      return tokens >= wanted ? 0 : Math.ceil(((wanted - tokens) / perSecond) * 1000);
    },
    spend: (spent) => {
      fill();
      tokens -= spent;
    },
  };
};
