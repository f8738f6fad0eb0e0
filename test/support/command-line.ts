import { vi } from 'vitest';

import { runCommandLine } from '../../src/cli/command-line.ts';

/** Returns the output of a command line, and its exit status. */
export const said = async (...args: readonly string[]) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const code = await runCommandLine(args);
    return { code, stdout: log.mock.calls.flat().join('\n'), stderr: error.mock.calls.flat().join('\n') };
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
};
