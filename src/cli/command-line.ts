import { version } from '../system/version.ts';

import yargs, { type Argv } from 'yargs';

import { DEVICE_KINDS, type DeviceKind } from './attach/devices.ts';
import {
  ATTACH_OPTIONS,
  CHECK_OPTIONS,
  countOf,
  DAEMON_ONLY,
  deviceKinds,
  DUMP_OPTIONS,
  OPTIONS,
  PREPARE_OPTIONS,
  sortOf,
  STATUS_OPTIONS,
  WATCH_OPTIONS,
} from './options.ts';
import { usageOf, type Words, wordsOf } from './arguments.ts';
import { reasonOf } from '../model/reason.ts';
import { type Sort, SORTS } from './watch/view.ts';

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
  | { readonly kind: 'check'; readonly config: string; readonly quiet: boolean }
  | { readonly kind: 'prepare'; readonly config: string; readonly user?: string }
  | (Common & { readonly kind: 'once' })
  | (Common & {
      readonly kind: 'attach';
      readonly domain: string;
      readonly devices: readonly DeviceKind[];
      readonly live: boolean;
      readonly persistent: boolean;
      readonly detach: boolean;
      readonly optional?: boolean;
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

const given = <K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } =>
  (value === undefined || value === '' ? {} : { [key]: value }) as { readonly [key in K]?: string };

const hideDaemonOnly = <T>(parser: Argv<T>, but: readonly string[] = []): Argv<T> =>
  DAEMON_ONLY.filter((name) => !but.includes(name)).reduce<Argv<T>>((hiding, name) => hiding.hide(name), parser);

// yargs takes an operand that begins with a hyphen for an option.
const MARK = '=';
const marked = (operand: string): string => `${MARK}${operand}`;
const unmarked = (operand: string): string => operand.slice(MARK.length);

type Found = (command: Command) => void;

const build = (ofAttach: boolean, found: Found): Argv =>
  yargs()
    .scriptName('vhostmd')
    .usage('Usage: $0 [OPTION]... [COMMAND]\n\nTells virtual machines about the host that they run on.')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .options(ofAttach ? OPTIONS : { ...OPTIONS, f: { ...OPTIONS.f, alias: 'config' } })
    .command(
      '$0',
      'Run the daemon',
      (daemon) => daemon,
      (argv) =>
        found({
          kind: 'run',
          config: argv.f,
          verbose: argv.verbose,
          foreground: argv['no-daemonize'],
          ...given('connect', argv.connect),
          ...given('user', argv.user),
          ...given('pidFile', argv['pid-file']),
        }),
    )
    .command(
      usageOf('check'),
      'Validate a configuration file and list its metrics; exit 2 if it is wrong',
      (check) =>
        hideDaemonOnly(check)
          .positional('file', { type: 'string', describe: 'Configuration file' })
          .options(CHECK_OPTIONS),
      ({ file, f, quiet }) => found({ kind: 'check', config: file === undefined ? f : unmarked(file), quiet }),
    )
    .command(
      usageOf('prepare'),
      'Make the metrics disks, or take them over, for the user of the daemon (--user); then exit',
      (prepare) => hideDaemonOnly(prepare, ['user']).options(PREPARE_OPTIONS),
      ({ f: config, user }) => found({ kind: 'prepare', config, ...given('user', user) }),
    )
    .command(
      usageOf('once'),
      'Collect one snapshot, print its XML and exit',
      (once) => hideDaemonOnly(once),
      ({ f: config, connect }) => found({ kind: 'once', config, ...given('connect', connect) }),
    )
    .command(
      usageOf('attach'),
      'Print the XML that gives a domain its metrics, or attach it (--live, --config)',
      (attach) =>
        hideDaemonOnly(attach)
          .positional('domain', { type: 'string', demandOption: true, describe: 'Name, UUID or id of the domain' })
          .options(ATTACH_OPTIONS),
      ({ domain, f: config, connect, device, live, config: persistent, detach, optional }) =>
        found({
          kind: 'attach',
          domain: unmarked(domain),
          devices: deviceKinds(device),
          live,
          persistent,
          detach,
          ...(optional ? { optional } : {}),
          config,
          ...given('connect', connect),
        }),
    )
    .command(
      usageOf('dump'),
      'Read and verify a metrics disk (a file or a block device) or channel (a socket or a port of the guest)',
      (dump) =>
        hideDaemonOnly(dump)
          .positional('source', { type: 'string', demandOption: true, describe: 'Metrics disk or channel' })
          .options(DUMP_OPTIONS),
      ({ source, json }) => found({ kind: 'dump', target: unmarked(source), json }),
    )
    .command(
      usageOf('watch'),
      'Show the domains on a metrics disk, live in a terminal, else as text',
      (watch) =>
        hideDaemonOnly(watch)
          .positional('disk', { type: 'string', describe: 'Metrics disk (default: the running daemon, or its disk)' })
          .options(WATCH_OPTIONS),
      ({ disk, f: config, once, count, sort, socket }) => {
        if (disk !== undefined && socket !== undefined) throw new Error('A disk and --socket exclude each other');
        const blocks = countOf(once, count);
        found({
          kind: 'watch',
          config,
          sort: sortOf(sort),
          ...(disk === undefined ? {} : { disk: unmarked(disk) }),
          ...given('socket', socket),
          ...(blocks === undefined ? {} : { count: blocks }),
        });
      },
    )
    .command(
      usageOf('status'),
      'Ask the running daemon how it is; exit 0 if it is well, 1 if not, 2 if there is none',
      (status) => hideDaemonOnly(status).options(STATUS_OPTIONS),
      ({ json, socket }) => found({ kind: 'status', json, ...given('socket', socket) }),
    )
    .command(
      usageOf('completion'),
      'Print a script by which bash or zsh completes command lines',
      (completion) => hideDaemonOnly(completion),
      () => undefined,
    )
    .strict()
    .help('help')
    .alias('help', 'h')
    .version(version())
    .exitProcess(false)
    .fail(false)
    .wrap(100);

/** What the script of `vhostmd completion` calls, with the words so far. */
const COMPLETE = '--get-yargs-completions';

/** What yargs prints. */
const outputOf = async (parser: Argv, args: readonly string[]): Promise<string> => {
  let text = '';
  await parser.parseAsync([...args], {}, (error: Error | undefined | null, _argv: unknown, output: string) => {
    if (error !== undefined && error !== null) throw error;
    text = output;
  });
  return text;
};

const completions = async (words: readonly string[]): Promise<string> => {
  const parser = build(words[1] === 'attach', () => undefined)
    .completion()
    .choices('device', DEVICE_KINDS)
    .choices('sort', SORTS);
  const found = (await outputOf(parser, [COMPLETE, ...words])).split('\n');
  // yargs names the command without a name, and letters with two hyphens.
  const clear = found.map((word) => word.replace(/^-(-.)$/, '$1')).filter((word) => !word.startsWith('$0'));
  return [...new Set(clear)].join('\n');
};

const completionScript = async (): Promise<string> =>
  await outputOf(yargs().scriptName('vhostmd').completion('completion').exitProcess(false), ['completion']);

const mistake = (error: unknown): Command => ({
  kind: 'text',
  text: `vhostmd: ${reasonOf(error)}\nTry 'vhostmd --help'.`,
  error: true,
});

/** Reads the command line (without node and script). The flags are those of the C daemon; the commands are ours. */
export const parseCommandLine = async (args: readonly string[]): Promise<Command> => {
  if (args[0] === COMPLETE) return { kind: 'text', text: await completions(args.slice(1)), error: false };
  let command: Command | undefined;
  let text = '';
  try {
    const words: Words = wordsOf(args);
    const { command: name, options, operands } = words;
    if (name === 'completion' && options.length === 0)
      return { kind: 'text', text: await completionScript(), error: false };
    const parser = build(name === 'attach', (found) => (command = found));
    text = await outputOf(parser, [...(name === undefined ? [] : [name]), ...options, ...operands.map(marked)]);
  } catch (error) {
    return mistake(error);
  }
  return text === '' && command !== undefined ? command : { kind: 'text', text, error: false };
};
