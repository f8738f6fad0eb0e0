import { defineCommand } from '../command.ts';

export const once = defineCommand({
  command: 'once',
  describe: 'Collect one snapshot, print its XML and exit',
  operands: {},
  options: {},
  handler: async ({ f: config, connect }) => await (await import('../handlers/once.ts')).once({ config, connect }),
});
