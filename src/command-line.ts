import { readFileSync } from 'node:fs';

import yargs, { type Argv } from 'yargs';

import type { DeviceKind } from './attach/devices.ts';
import {
  ATTACH_OPTIONS,
  checkOptions,
  countOf,
  DAEMON_ONLY,
  deviceKinds,
  FLAG,
  forAttach,
  OPTIONS,
  separate,
  sortOf,
  VALUE,
  WATCH_OPTIONS,
} from './command-line-options.ts';
import { reasonOf } from './reason.ts';
import type { Sort } from './watch/view.ts';

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
  | (Common & {
      readonly kind: 'attach';
      readonly domain: string;
      readonly devices: readonly DeviceKind[];
      readonly live: boolean;
      readonly persistent: boolean;
      readonly detach: boolean;
    })
  | { readonly kind: 'dump'; readonly target: string; readonly json: boolean }
  | {
      readonly kind: 'watch';
      readonly disk?: string;
      readonly socket?: string;
      readonly config: string;
      readonly sort: Sort;
      readonly count?: number;
    }
  | { readonly kind: 'status'; readonly json: boolean; readonly socket?: string }
  /** Help, the version, or a mistake, which is `error`. */
  | { readonly kind: 'text'; readonly text: string; readonly error: boolean };

/** Version of the package. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

const given = <K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } =>
  (value === undefined || value === '' ? {} : { [key]: value }) as { readonly [key in K]?: string };

const hideDaemonOnly = <T>(parser: Argv<T>): Argv<T> =>
  DAEMON_ONLY.reduce<Argv<T>>((hiding, name) => hiding.hide(name), parser);

/** Reads the command line (without node and script). The flags are those of the C daemon; the commands are ours. */
export const parseCommandLine = async (args: readonly string[]): Promise<Command> => {
  let command: Command | undefined;
  const separated = args.filter((arg) => arg !== '--').flatMap(separate);
  const attachArgs = forAttach(separated);
  const parser = yargs()
    .scriptName('vhostmd')
    .usage('Usage: $0 [OPTION]... [COMMAND]\n\nTells virtual machines about the host that they run on.')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .updateStrings({
      'Not enough arguments following: %s': 'Option %s needs a value',
      'Not enough non-option arguments: got %s, need at least %s': {
        one: 'An argument is missing',
        other: 'An argument is missing',
      },
      'Argument unexpected for: %s': 'Option %s takes no value',
      'Unknown argument: %s': { one: 'Unknown option or command: %s', other: 'Unknown options or commands: %s' },
    } as unknown as Record<string, string>)
    .options(attachArgs === undefined ? { ...OPTIONS, f: { ...OPTIONS.f, alias: 'config' } } : OPTIONS)
    .command(
      '$0',
      'Run the daemon',
      (daemon) => daemon,
      (argv) => {
        command = {
          kind: 'run',
          config: argv.f,
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
      (check) => hideDaemonOnly(check).positional('file', { type: 'string', describe: 'Configuration file' }),
      ({ file, f }) => {
        command = { kind: 'check', config: file ?? f };
      },
    )
    .command(
      'once',
      'Collect one snapshot, print its XML and exit',
      (once) => hideDaemonOnly(once),
      ({ f: config, connect }) => {
        command = { kind: 'once', config, ...given('connect', connect) };
      },
    )
    .command(
      'attach <domain>',
      'Print the XML that gives a domain its metrics, or attach it (--live, --config)',
      (attach) =>
        hideDaemonOnly(attach)
          .positional('domain', { type: 'string', demandOption: true, describe: 'Name, UUID or id of the domain' })
          .options(ATTACH_OPTIONS),
      ({ domain, f: config, connect, device, live, config: persistent, detach }) => {
        const devices = deviceKinds(device);
        command = { kind: 'attach', domain, devices, live, persistent, detach, config, ...given('connect', connect) };
      },
    )
    .command(
      'dump <source>',
      'Read and verify a metrics disk (a file or a block device) or channel (a socket or a port of the guest)',
      (dump) =>
        hideDaemonOnly(dump)
          .positional('source', { type: 'string', demandOption: true, describe: 'Metrics disk or channel' })
          .option('json', { ...FLAG, describe: 'Print JSON instead of XML' }),
      ({ source, json }) => {
        command = { kind: 'dump', target: source, json };
      },
    )
    .command(
      'watch [disk]',
      'Show the domains on a metrics disk, live in a terminal, else as text',
      (watch) =>
        hideDaemonOnly(watch)
          .positional('disk', { type: 'string', describe: 'Metrics disk (default: the running daemon, or its disk)' })
          .options(WATCH_OPTIONS),
      ({ disk, f: config, once, count, sort, socket }) => {
        for (const [name, value] of Object.entries({ count, sort, socket }))
          if (Array.isArray(value)) throw new Error(`Option --${name} is given twice`);
        if (disk !== undefined && socket !== undefined) throw new Error('A disk and --socket exclude each other');
        const blocks = countOf(once, count);
        command = {
          kind: 'watch',
          config,
          sort: sortOf(sort),
          ...given('disk', disk),
          ...given('socket', socket),
          ...(blocks === undefined ? {} : { count: blocks }),
        };
      },
    )
    .command(
      'status',
      'Ask the running daemon how it is; exit 0 if it is well, 1 if not, 2 if there is none',
      (status) =>
        hideDaemonOnly(status)
          .option('json', { ...FLAG, describe: 'Print all that is known, as JSON' })
          .option('socket', { ...VALUE, describe: 'Socket of the daemon (default: in its runtime directory)' }),
      ({ json, socket }) => {
        if (Array.isArray(socket)) throw new Error('Option --socket is given twice');
        command = { kind: 'status', json, ...given('socket', socket) };
      },
    )
    .check(checkOptions)
    .strict()
    .recommendCommands()
    .help('help')
    .alias('help', 'h')
    .version(version())
    .exitProcess(false)
    .fail(false)
    .wrap(100);
  let text = '';
  try {
    await parser.parseAsync(
      attachArgs ?? separated,
      {},
      (error: Error | undefined | null, _argv: unknown, output: string) => {
        if (error !== undefined && error !== null) throw error;
        text = output;
      },
    );
  } catch (error) {
    const about = attachArgs?.some((arg) => /^--config(=|$)/.test(arg)) === true;
    const hint = about ? ' (of attach, --config is a flag; -f FILE names the configuration file)' : '';
    const message = `${reasonOf(error)}${hint}`;
    return { kind: 'text', text: `vhostmd: ${message}\nTry 'vhostmd --help'.`, error: true };
  }
  return text === '' && command !== undefined ? command : { kind: 'text', text, error: false };
};
