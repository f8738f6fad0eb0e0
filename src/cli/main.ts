import { parseCommandLine, type Command } from './command-line.ts';
import { nameProcess } from '../system/process/title.ts';
import { settleSignals } from '../system/process/signals.ts';
import { complain } from '../system/safe-output.ts';

// Loaded as needed: each way through the program starts without the libraries of the others.
const execute = async (command: Command, args: readonly string[]): Promise<number | undefined> => {
  switch (command.kind) {
    case 'run': {
      settleSignals();
      const { isBackground, startInBackground } = await import('../system/process/background.ts');
      const background = isBackground();
      if (!command.foreground && !background) return await startInBackground(args);
      nameProcess(args);
      await (await import('./handlers/daemon.ts')).run(command, background);
      return undefined;
    }
    case 'check':
      // At once: a sink's module that it has loaded may keep a timer or a socket open.
      return process.exit(await (await import('./handlers/check.ts')).check(command.config, command.quiet));
    case 'prepare':
      return (await import('./handlers/prepare.ts')).prepare(command);
    case 'once':
      return await (await import('./handlers/once.ts')).once(command);
    case 'attach':
      return await (await import('./handlers/attach.ts')).attach(command);
    case 'dump':
      return await (await import('./handlers/dump.ts')).dump(command.target, command.json);
    case 'watch':
      return await (await import('./handlers/watch.ts')).watch(command);
    case 'status':
      return await (await import('./handlers/status.ts')).status(command);
    case 'text':
      (command.error ? complain : console.log)(command.text);
      return command.error ? 2 : 0;
  }
};

// Whoever reads the output may go away; that is no reason to stop, or to complain.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const args = process.argv.slice(2);
try {
  process.exitCode = await execute(await parseCommandLine(args), args);
} catch (error) {
  if (!(error instanceof Error && error.name === 'NoBridge')) throw error;
  complain(`vhostmd: ${error.message}`);
  process.exitCode = 1;
}
