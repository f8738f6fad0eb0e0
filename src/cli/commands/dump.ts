import { defineCommand, FLAG } from '../command.ts';

export const dump = defineCommand({
  command: 'dump <source>',
  describe: 'Read and verify a metrics disk (a file or a block device) or channel (a socket or a port of the guest)',
  operands: { source: { type: 'string', demandOption: true, describe: 'Metrics disk or channel' } },
  options: { json: { ...FLAG, describe: 'Print JSON instead of XML' } },
  examples: [['$0 dump /dev/vdb', 'Print what the host offers, in a guest']],
  handler: async ({ source: target, json }) => await (await import('../handlers/dump.ts')).dump({ target, json }),
});
