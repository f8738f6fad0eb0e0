import { parseCommandLine, type Command } from './command-line.ts';

// Loaded as needed: `check` and `dump` start faster without the libraries of the daemon.
const execute = async (command: Command, args: readonly string[]): Promise<number | undefined> => {
  switch (command.kind) {
    case 'run':
      return await (await import('./commands/run.ts')).run(command, args);
    case 'check':
      return (await import('./commands/check.ts')).check(command.config);
    case 'once':
      return await (await import('./commands/once.ts')).once(command);
    case 'dump':
      return await (await import('./commands/dump.ts')).dump(command.target, command.json);
    case 'text':
      (command.error ? console.error : console.log)(command.text);
      return command.error ? 2 : 0;
  }
};

const args = process.argv.slice(2);
process.exitCode = await execute(await parseCommandLine(args), args);
