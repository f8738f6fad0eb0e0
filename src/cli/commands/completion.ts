import yargs from 'yargs';

import { defineCommand, oneOf } from '../command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** Returns the shell of the user; bash if it is none of the three. */
const usual = (program = process.env['SHELL'] ?? ''): string =>
  SHELLS.find((known) => program.endsWith(known)) ?? 'bash';

export const completion = defineCommand({
  command: 'completion [shell]',
  describe: 'Print a script by which a shell completes command lines',
  operands: {
    shell: {
      type: 'string',
      describe: 'Shell (default: that of $SHELL)',
      choices: SHELLS,
      coerce: (given: string) => oneOf('The shell', SHELLS, given),
    },
  },
  options: {},
  examples: [['$0 completion bash >> ~/.bashrc', 'Complete command lines in new shells']],
  handler: async ({ shell = usual() }) => {
    if (shell === 'fish') {
      console.log((await import('../handlers/completion.ts')).fishScript());
      return 0;
    }
    // yargs makes the scripts of bash and zsh, and looks only here for which.
    process.env['SHELL'] = shell;
    yargs().scriptName('vhostmd').showCompletionScript();
    return 0;
  },
});
