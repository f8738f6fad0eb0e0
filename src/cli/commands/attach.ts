import { DEVICE_KINDS } from '../attach/devices.ts';
import { defineCommand, FLAG, oneOf, VALUE } from '../command.ts';

export const attach = defineCommand({
  command: 'attach <domain>',
  describe: 'Print the XML that gives a domain its metrics, or attach it (--live, --config)',
  operands: { domain: { type: 'string', demandOption: true, describe: 'Name, UUID or id of the domain' } },
  options: {
    live: { ...FLAG, describe: 'Change the running domain' },
    config: { ...FLAG, describe: 'Change the persistent definition, for the next start (--config=FILE is the file)' },
    detach: { ...FLAG, describe: 'Detach the devices instead' },
    optional: { ...FLAG, describe: 'Let the domain start without a disk whose file is missing' },
    device: {
      ...VALUE,
      takes: 'KIND',
      describe: 'Which device; may be repeated (default: all)',
      choices: DEVICE_KINDS,
      coerce: (given: string | readonly string[]) =>
        [given].flat().map((kind) => oneOf('Option --device', DEVICE_KINDS, kind)),
    },
  },
  examples: [
    ['$0 attach web1 --live --config', 'Attach the devices now, and for each start'],
    ['$0 attach web1 --device channel', 'Print the XML of the channel'],
  ],
  handler: async ({ domain, f: config, connect, device: devices = [], live, config: persistent, detach, optional }) => {
    const { attach } = await import('../handlers/attach.ts');
    return await attach({ domain, config, connect, devices, live, persistent, detach, optional });
  },
});
