import { defineCommand, FLAG } from '../command.ts';

export const check = defineCommand({
  command: 'check [file]',
  describe: 'Validate a configuration file and list its metrics; exit 2 if it is wrong',
  operands: { file: { type: 'string', describe: 'Configuration file' } },
  options: {
    quiet: { ...FLAG, describe: 'Print mistakes only' },
    migrate: {
      ...FLAG,
      describe: 'Print the file with statistics in place of actions of the same value, and a report to stderr',
    },
  },
  examples: [['$0 check --migrate old.conf >new.conf', 'Rewrite a configuration of the C daemon']],
  handler: async ({ f, file = f, quiet, migrate }) =>
    await (await import('../handlers/check.ts')).check({ config: file, quiet, migrate }),
});
