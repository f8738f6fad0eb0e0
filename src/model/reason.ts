/** Returns the message of a thrown value. Never throws: code of others may throw anything. */
export const reasonOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something without a text';
  }
};

/** Like `reasonOf`, for messages that name the path already: drops the one that Node appends (`.., open '/a/file'`). */
export const causeOf = (error: unknown): string => {
  const text = reasonOf(error);
  return error instanceof Error && 'path' in error ? text.replace(/, \w+ '.*'$/s, '') : text;
};

/** Returns the code of a system error, such as ENOENT, or undefined. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** True if the system denied permission (EACCES, EPERM). */
export const isDenied = (error: unknown): boolean => {
  const code = codeOf(error);
  return code === 'EACCES' || code === 'EPERM';
};
