import { runCommandLine } from './command-line.ts';
import { complain } from '../system/safe-output.ts';
import { sourceStack } from '../system/source-stack.ts';

// A closed reader of the output is no reason to stop, or to print an error.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
try {
  process.exitCode = await runCommandLine(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Error)) throw error;
  if (error.name === 'NoBridge') complain(`vhostmd: ${error.message}`);
  else complain(`vhostmd has a bug, please report it: ${sourceStack(error.stack ?? error.message)}`);
  process.exitCode = 1;
}
