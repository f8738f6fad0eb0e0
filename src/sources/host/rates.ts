/** Converts counters to rates per second, with the previous count of each key. Times are in milliseconds. */
export const rates = (): ((key: string, count: number, at: number, sinceBoot: () => number) => number) => {
  const known = new Map<string, { readonly count: number; readonly at: number; readonly rate: number }>();
  return (key, count, at, sinceBoot) => {
    const previous = known.get(key);
    const passed = previous === undefined ? sinceBoot() : at - previous.at;
    if (previous !== undefined && passed <= 0) return previous.rate;
    // A counter that decreased (overflow, restored checkpoint) has no negative rate.
    const rate = passed > 0 ? (Math.max(0, count - (previous?.count ?? 0)) / passed) * 1000 : 0;
    known.set(key, { count, at, rate });
    return rate;
  };
};
