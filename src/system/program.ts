/** URL of the folder of the program's own files: `src`, or `dist` when it is built. */
export const PROGRAM_URL = import.meta.url.replace(/^(.*\/(?:src|dist)\/).*$/, '$1');
