import { defineCommand, FLAG, VALUE } from '../command.ts';

export const status = defineCommand({
  command: 'status',
  describe: 'Print the status of the running daemon; exit 0 if it is well, 1 if not, 2 if there is none',
  operands: {},
  options: {
    json: { ...FLAG, describe: 'Print all figures as JSON' },
    socket: { ...VALUE, takes: 'PATH', describe: 'Socket of the daemon (default: in its runtime directory)' },
  },
  handler: async ({ json, socket }) => await (await import('../handlers/status.ts')).status({ json, socket }),
});
