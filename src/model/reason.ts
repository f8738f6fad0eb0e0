/** What went wrong, as text: anything may be thrown. */
export const reasonOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something without a text';
  }
};

/** As `reasonOf`, behind a path: without the path that Node puts at the end of it (`.., open '/a/file'`). */
export const causeOf = (error: unknown): string => {
  const text = reasonOf(error);
  return error instanceof Error && 'path' in error ? text.replace(/, \w+ '.*'$/s, '') : text;
};

/** Code of an error of the system, such as ENOENT. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The system does not allow it to this user. */
export const isDenied = (error: unknown): boolean => ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
