import { defineCommand, FLAG } from '../command.ts';

export const check = defineCommand({
  command: 'check [file]',
  describe: 'Validate a configuration file and list its metrics; exit 2 if it is wrong',
  operands: { file: { type: 'string', describe: 'Configuration file' } },
  options: { quiet: { ...FLAG, describe: 'Print mistakes only' } },
  handler: async ({ f, file = f, quiet }) =>
    await (await import('../handlers/check.ts')).check({ config: file, quiet }),
});
