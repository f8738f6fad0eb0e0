/** Waits for a condition; throws after 10 s. */
export const until = async (condition: () => boolean): Promise<void> => {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
