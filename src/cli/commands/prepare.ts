import { defineCommand } from '../command.ts';
import { USER } from './run.ts';

export const prepare = defineCommand({
  command: 'prepare',
  describe: 'Make the metrics disks, or take them over, for the user of the daemon (--user); then exit',
  operands: {},
  options: { user: { ...USER, describe: 'Owner of the disks (not root)' } },
  handler: async ({ f: config, user }) => (await import('../handlers/prepare.ts')).prepare({ config, user }),
});
