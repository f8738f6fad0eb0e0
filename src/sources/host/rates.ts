/** Turns a counter into a rate per second; each key remembers its own previous count. Times are in milliseconds. */
export const rates = (): ((key: string, count: number, at: number, sinceBoot: () => number) => number) => {
  const known = new Map<string, { readonly count: number; readonly at: number; readonly rate: number }>();
  return (key, count, at, sinceBoot) => {
    const previous = known.get(key);
    const passed = previous === undefined ? sinceBoot() : at - previous.at;
    if (previous !== undefined && passed <= 0) return previous.rate;
    // A counter that went back (a wrap, a checkpoint restored) gives no negative rate.
    const rate = passed > 0 ? (Math.max(0, count - (previous?.count ?? 0)) / passed) * 1000 : 0;
    known.set(key, { count, at, rate });
    return rate;
  };
};
