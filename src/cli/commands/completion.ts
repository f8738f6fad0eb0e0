import yargs from 'yargs';

import { defineCommand } from '../command.ts';

export const completion = defineCommand({
  command: 'completion',
  describe: 'Print a script by which bash or zsh completes command lines',
  operands: {},
  options: {},
  examples: [['$0 completion >> ~/.bashrc', 'Complete command lines in new shells']],
  handler: () => {
    yargs().scriptName('vhostmd').showCompletionScript();
    return 0;
  },
});
