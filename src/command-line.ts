import { readFileSync } from 'node:fs';

import yargs, { type Argv } from 'yargs';

import { DEVICE_KINDS, type DeviceKind } from './attach/devices.ts';
import { didYouMean, quote } from './config/suggest.ts';
import { reasonOf } from './reason.ts';
import { SORTS, type Sort } from './watch/view.ts';

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

/** `-dvfFILE` as getopt takes it, one flag or value an element; anything else as it is. */
const separate = (arg: string): readonly string[] => {
  const [, flags = '', option, value] = /^-(?=.)([dhv]*)(?:([cfpu])(.*))?$/s.exec(arg) ?? [];
  const separated = [...flags, ...(option ?? '')].map((letter) => `-${letter}`);
  if (separated.length === 0) return [arg];
  return value === undefined || value === '' ? separated : [...separated, value];
};

const FLAG = { type: 'boolean', nargs: 0, default: false } as const;
const VALUE = { type: 'string', requiresArg: true } as const;
const OPTIONS = {
  connect: { ...VALUE, alias: 'c', describe: "URI of libvirt (default: libvirt's own)" },
  f: { ...VALUE, default: DEFAULT_CONFIG, describe: 'Configuration file' },
  verbose: { ...FLAG, alias: 'v', describe: 'Say more, such as a line for each snapshot' },
  'no-daemonize': { ...FLAG, alias: 'd', describe: 'Stay in the foreground' },
  user: { ...VALUE, alias: 'u', describe: 'Run as this user (not root)' },
  'pid-file': {
    ...VALUE,
    alias: 'p',
    describe: 'File for the process number (default: /run/vhostmd.pid, in the background only)',
  },
} as const;
const ATTACH_OPTIONS = {
  live: { ...FLAG, describe: 'Change the running domain' },
  config: { ...FLAG, describe: 'Change the persistent definition, for the next start (the file is -f)' },
  detach: { ...FLAG, describe: 'Take the devices out instead' },
  device: {
    ...VALUE,
    describe: `One of ${DEVICE_KINDS.join(', ')}; may be repeated (default: all that the configuration serves)`,
  },
} as const;
const WATCH_OPTIONS = {
  once: { ...FLAG, describe: 'Print the table once, as text, and exit' },
  count: { ...VALUE, describe: 'Print it this often, once for each new document, and exit' },
  sort: { ...VALUE, default: 'cpu', describe: `Sort by ${SORTS.join(', ')}` },
} as const;
// yargs must know them before it has found a command, or it takes the command after a flag for the flag's value.
const DAEMON_ONLY = ['verbose', 'no-daemonize', 'user', 'pid-file'] as const;

/** Index of the command among separated arguments: the first that is neither an option nor an option's value. */
const commandIndex = (args: readonly string[]): number =>
  args.findIndex(
    (arg, index) =>
      !arg.startsWith('-') && !/^(?:-[cfpu]|--(?:connect|config|user|pid-file))$/.test(args[index - 1] ?? ''),
  );

/** `--config` names the file everywhere but behind the command `attach`, where it is a flag, as with virsh. */
const forAttach = (args: readonly string[]): readonly string[] | undefined => {
  const at = commandIndex(args);
  if (args[at] !== 'attach') return undefined;
  return args.map((arg, index) => (index < at ? arg.replace(/^--config(?=$|=)/, '-f') : arg));
};

const checkOptions = ({
  _: [command],
  ...argv
}: Readonly<Record<string, unknown>> & { _: readonly (string | number)[] }): true => {
  for (const name of Object.keys(OPTIONS)) {
    const option = name !== 'f' ? `--${name}` : command === 'attach' ? '-f' : '--config';
    if (Array.isArray(argv[name])) throw new Error(`Option ${option} is given twice`);
    // An empty URI is libvirt's default.
    if (argv[name] === '' && name !== 'connect') throw new Error(`Option ${option} needs a value`);
  }
  for (const name of DAEMON_ONLY) {
    const given = argv[name] !== undefined && argv[name] !== false;
    if (given && command !== undefined) throw new Error(`Option --${name} is for the daemon, not for "${command}"`);
  }
  return true;
};

/** The values of --device; throws at one that is none. */
const deviceKinds = (given: string | readonly string[] | undefined): readonly DeviceKind[] =>
  [given ?? []].flat().map((value) => {
    const kind = DEVICE_KINDS.find((known) => known === value);
    if (kind !== undefined) return kind;
    const hint = didYouMean(value, DEVICE_KINDS);
    throw new Error(`Option --device must be one of ${DEVICE_KINDS.join(', ')}, found ${quote(value)}${hint}`);
  });

/** The count of --count or --once; throws at a mistake. */
const countOf = (once: boolean, count: string | undefined): number | undefined => {
  if (count === undefined) return once ? 1 : undefined;
  if (once) throw new Error('Options --once and --count exclude each other');
  if (/^[1-9]\d{0,8}$/.test(count)) return Number(count);
  throw new Error(`Option --count must be a number from 1 to 999999999, found ${quote(count)}`);
};

const sortOf = (given: string): Sort => {
  const sort = SORTS.find((known) => known === given);
  if (sort !== undefined) return sort;
  const hint = didYouMean(given, SORTS);
  throw new Error(`Option --sort must be one of ${SORTS.join(', ')}, found ${quote(given)}${hint}`);
};

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
          .positional('disk', { type: 'string', describe: 'Metrics disk (default: that of the configuration)' })
          .options(WATCH_OPTIONS),
      ({ disk, f: config, once, count, sort }) => {
        for (const [name, value] of Object.entries({ count, sort }))
          if (Array.isArray(value)) throw new Error(`Option --${name} is given twice`);
        const blocks = countOf(once, count);
        command = {
          kind: 'watch',
          config,
          sort: sortOf(sort),
          ...given('disk', disk),
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
