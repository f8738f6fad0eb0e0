import { defineCommand, FLAG, VALUE } from '../command.ts';

export const USER = { ...VALUE, takes: 'USER', alias: 'u', describe: 'Run as this user (not root)' } as const;

export const run = defineCommand({
  command: '$0',
  describe: 'Run the daemon',
  operands: {},
  options: {
    verbose: { ...FLAG, alias: 'v', describe: 'Log more, such as a line for each snapshot' },
    'no-daemonize': { ...FLAG, alias: 'd', describe: 'Stay in the foreground' },
    user: USER,
    'pid-file': {
      ...VALUE,
      takes: 'FILE',
      alias: 'p',
      describe: 'File for the process number (default: /run/vhostmd.pid, in the background only)',
    },
  },
  handler: async ({ f: config, connect, verbose, 'no-daemonize': foreground, user, 'pid-file': pidFile }) =>
    await (await import('../handlers/run.ts')).run({ config, connect, verbose, foreground, user, pidFile }),
});
