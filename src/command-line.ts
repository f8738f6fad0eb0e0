import { readFileSync } from 'node:fs';

import yargs from 'yargs';

/** Where the configuration is unless -f names another file. */
export const DEFAULT_CONFIG = '/etc/vhostmd/vhostmd.conf';

interface Common {
  readonly connect?: string;
  readonly config: string;
}

/** What the command line asks for. */
export type Command =
  | (Common & {
      readonly kind: 'run';
      readonly verbose: boolean;
      readonly foreground: boolean;
      readonly user?: string;
      readonly pidFile?: string;
    })
  | { readonly kind: 'check'; readonly config: string }
  | (Common & { readonly kind: 'once' })
  | { readonly kind: 'dump'; readonly target: string; readonly json: boolean }
  /** Help, the version, or a mistake, which is `error`. */
  | { readonly kind: 'text'; readonly text: string; readonly error: boolean };

/** Version of the package. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

const given = <K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: string };

/** Reads the command line (without node and script). The flags are those of the C daemon; the commands are ours. */
export const parseCommandLine = async (args: readonly string[]): Promise<Command> => {
  let command: Command | undefined;
  const parser = yargs([...args])
    .scriptName('vhostmd')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .option('connect', {
      alias: 'c',
      type: 'string',
      requiresArg: true,
      global: true,
      describe: "URI of libvirt (default: libvirt's own)",
    })
    .option('config', {
      alias: 'f',
      type: 'string',
      requiresArg: true,
      global: true,
      default: DEFAULT_CONFIG,
      describe: 'Configuration file',
    })
    .command(
      '$0',
      'Run the daemon',
      (daemon) =>
        daemon
          .option('verbose', {
            alias: 'v',
            type: 'boolean',
            default: false,
            describe: 'Say more, such as a line for each snapshot',
          })
          .option('no-daemonize', { alias: 'd', type: 'boolean', default: false, describe: 'Stay in the foreground' })
          .option('user', { alias: 'u', type: 'string', requiresArg: true, describe: 'Run as this user (not root)' })
          .option('pid-file', {
            alias: 'p',
            type: 'string',
            requiresArg: true,
            describe: 'File for the process number (default: /run/vhostmd.pid, in the background only)',
          }),
      (argv) => {
        command = {
          kind: 'run',
          config: argv.config,
          verbose: argv.verbose,
          foreground: argv['no-daemonize'],
          ...given('connect', argv.connect),
          ...given('user', argv.user),
          ...given('pidFile', argv['pid-file']),
        };
      },
    )
    .command(
      'check [file]',
      'Validate a configuration file and list its metrics; exit 2 if it is wrong',
      (check) => check.positional('file', { type: 'string', describe: 'Configuration file' }),
      (argv) => {
        command = { kind: 'check', config: argv.file ?? argv.config };
      },
    )
    .command('once', 'Collect one snapshot, print its XML and exit', {}, (argv) => {
      command = {
        kind: 'once',
        config: argv['config'] as string,
        ...given('connect', argv['connect'] as string | undefined),
      };
    })
    .command(
      'dump <disk>',
      'Read and verify a metrics disk: a file or a block device',
      (dump) =>
        dump
          .positional('disk', { type: 'string', demandOption: true, describe: 'Metrics disk' })
          .option('json', { type: 'boolean', default: false, describe: 'Print JSON instead of XML' }),
      (argv) => {
        command = { kind: 'dump', target: argv.disk, json: argv.json };
      },
    )
    .strict()
    .help('help')
    .alias('help', 'h')
    .version(version())
    .exitProcess(false)
    .fail(false)
    .wrap(100);
  let text = '';
  try {
    await parser.parseAsync([...args], {}, (error: Error | undefined | null, _argv: unknown, output: string) => {
      if (error !== undefined && error !== null) throw error;
      text = output;
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'text', text: `vhostmd: ${message}\nTry 'vhostmd --help'.`, error: true };
  }
  return text === '' && command !== undefined ? command : { kind: 'text', text, error: false };
};
