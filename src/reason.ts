/** What went wrong, as text: anything may be thrown. */
export const reasonOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something without a text';
  }
};
