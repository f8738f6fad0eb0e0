/** Makes a value at the first use and caches it. Errors of `make` are not cached. */
export const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};
