/** Edit distance with transpositions (optimal string alignment). */
export const editDistance = (from: string, to: string): number => {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
};

/** Returns the likely intended candidate: at most a third of the letters differ, ignoring case. Else undefined. */
export const nearest = (found: string, candidates: readonly string[]): string | undefined => {
  if (found.length > 200) return undefined;
  const lower = found.toLowerCase();
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .filter(
      ({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.max(candidate.length, found.length) / 3)),
    )
    .sort((a, b) => a.distance - b.distance)[0]?.candidate;
};

/** Returns `; did you mean "x"?`, or an empty text. `show` formats the candidate. */
export const didYouMean = (
  found: string,
  candidates: readonly string[],
  show: (candidate: string) => string = (candidate) => `"${candidate}"`,
): string => {
  const candidate = nearest(found, candidates);
  return candidate === undefined ? '' : `; did you mean ${show(candidate)}?`;
};

/** Quotes untrusted text for a message: one line, escaped, truncated to `most` characters. */
export const quote = (text: string, most = 60): string => {
  const cut = text.length > most ? `${text.slice(0, most)}...` : text;
  return JSON.stringify(cut).replace(
    /[\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
};
