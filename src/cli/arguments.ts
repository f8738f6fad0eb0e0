import {
  ATTACH_OPTIONS,
  CHECK_OPTIONS,
  DAEMON_ONLY,
  DUMP_OPTIONS,
  OPTIONS,
  PREPARE_OPTIONS,
  STATUS_OPTIONS,
  WATCH_OPTIONS,
} from './options.ts';
import { didYouMean, quote } from '../model/suggest.ts';

/** What each command is called with, in the words of yargs: `<needed>` or `[optional]`. */
export const COMMANDS = {
  check: { operands: ['[file]'], options: CHECK_OPTIONS },
  prepare: { operands: [], options: PREPARE_OPTIONS },
  once: { operands: [], options: {} },
  attach: { operands: ['<domain>'], options: ATTACH_OPTIONS },
  dump: { operands: ['<source>'], options: DUMP_OPTIONS },
  watch: { operands: ['[disk]'], options: WATCH_OPTIONS },
  status: { operands: [], options: STATUS_OPTIONS },
  completion: { operands: [], options: {} },
} as const;
type CommandName = keyof typeof COMMANDS;
const NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** How a command is written, such as `dump <source>`. */
export const usageOf = (name: CommandName): string => [name, ...COMMANDS[name].operands].join(' ');

/** A command line whose options are all written as `--name` or `--name=value`. */
export interface Words {
  readonly command?: CommandName;
  readonly options: readonly string[];
  readonly operands: readonly string[];
}

interface Known {
  /** As yargs knows it. */
  readonly key: string;
  readonly long: string;
  readonly takesValue: boolean;
}

const known = (options: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>): readonly Known[] =>
  Object.entries(options).map(([key, { type }]) => ({
    key,
    long: key === FILE ? 'config' : key,
    takesValue: type === 'string',
  }));

const FILE = 'f';
const SHORT: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(OPTIONS).map(([key, option]) => ['alias' in option ? option.alias : key, key]),
);
const DAEMON = known({ ...OPTIONS, help: { type: 'boolean' }, version: { type: 'boolean' } });
const LONG = DAEMON.map(({ long }) => long);
const COMMON = DAEMON.filter(({ key }) => !DAEMON_ONLY.some((name) => name === key));
const OWN = Object.fromEntries(NAMES.map((name) => [name, known(COMMANDS[name].options)])) as Readonly<
  Record<CommandName, readonly Known[]>
>;

/** What stands behind a command, or in front of it: of two with one name (--config of attach) the command's own. */
const optionsOf = (command: CommandName | undefined): readonly Known[] =>
  command === undefined
    ? DAEMON
    : [...OWN[command], ...COMMON.filter(({ long }) => !OWN[command].some((own) => own.long === long))];

const longOption = (given: string, command: CommandName | undefined): Known => {
  const here = optionsOf(command);
  const elsewhere = [...DAEMON, ...NAMES.flatMap((name) => OWN[name])];
  const exact = [...here, ...elsewhere].find(({ long }) => long === given);
  if (exact !== undefined) return exact;
  const [first, ...others] = here.filter(({ long }) => given !== '' && long.startsWith(given));
  if (first !== undefined && others.length === 0) return first;
  const all = here.map(({ long }) => long);
  if (first === undefined)
    throw new Error(`Unknown option --${shown(given)}${didYouMean(given, all, (name) => `--${name}`)}`);
  const meant = [first, ...others].map(({ long }) => `--${long}`).join(', ');
  throw new Error(`Option --${given} is ambiguous: it may be ${meant}`);
};

const shown = (text: string): string => quote(text).slice(1, -1);

const shortOption = (letter: string, word: string): Known => {
  const key = letter === 'h' ? 'help' : SHORT[letter];
  const option = DAEMON.find((one) => one.key === key);
  if (option !== undefined) return option;
  // Of -verbose, say.
  const long = word.length > 3 ? didYouMean(word.slice(1), LONG, (name) => `--${name}`) : '';
  throw new Error(`Unknown option -${shown(letter)}${long}`);
};

const commandOf = (word: string): CommandName => {
  const name = NAMES.find((one) => one === word);
  if (name === undefined) throw new Error(`Unknown command ${quote(word)}${didYouMean(word, NAMES)}`);
  return name;
};

const checkUse = (command: CommandName | undefined, used: readonly Known[]): void => {
  const stranger = used.find(({ key }) => !optionsOf(command).some((one) => one.key === key) && key !== FILE);
  if (stranger === undefined) return;
  const users = NAMES.filter((name) => OWN[name].some(({ key }) => key === stranger.key)).map((name) => `"${name}"`);
  const forWhat = DAEMON.includes(stranger) || users.length === 0 ? 'the daemon' : users.join(' and ');
  const notFor = command === undefined ? 'the daemon' : `"${command}"`;
  throw new Error(`Option --${stranger.long} is for ${forWhat}, not for ${notFor}`);
};

const OF_ATTACH = ' (of attach, --config is a flag; --config=FILE and -f FILE name the configuration file)';

const checkOperands = (command: CommandName, operands: readonly string[], given: ReadonlyMap<string, string>): void => {
  const { operands: takes } = COMMANDS[command];
  const unexpected = operands[takes.length];
  if (unexpected !== undefined)
    throw new Error(
      `Unexpected argument ${quote(unexpected)}; usage: vhostmd ${usageOf(command)}${given.has('config') ? OF_ATTACH : ''}`,
    );
  const asks = given.has('help') || given.has('version');
  if (!asks && operands.length === 0 && takes.some((operand) => operand.startsWith('<')))
    throw new Error(`An argument is missing; usage: vhostmd ${usageOf(command)}`);
};

/**
 * Reads a command line as getopt_long(3) does: flags in one word, values in the same word or the next, long options as
 * short as they are clear, of an option that is repeated the last one, and operands behind `--`, which for the daemon
 * mean nothing. Throws at a mistake.
 */
export const wordsOf = (args: readonly string[]): Words => {
  let command: CommandName | undefined;
  const operands: string[] = [];
  const values = new Map<string, string>();
  const used: Known[] = [];
  const rest = [...args];
  const take = (option: Known, name: string, inWord: string | undefined): void => {
    const { key, takesValue } = option;
    used.push(option);
    if (!takesValue) {
      if (inWord !== undefined) throw new Error(`Option ${name} takes no value`);
      values.set(key, `--${key}`);
      return;
    }
    // What looks like an option is more probably one than a value.
    const value = inWord ?? (/^-./s.test(rest[0] ?? '-x') ? undefined : rest.shift());
    // An empty URI is libvirt's default.
    if (value === undefined || (value === '' && key !== 'connect')) throw new Error(`Option ${name} needs a value`);
    values.set(key === 'device' ? `${key} ${values.size}` : key, `--${key}=${value}`);
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      operands.push(...rest.splice(0));
    } else if (arg.startsWith('--')) {
      const [, given = '', inWord] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
      const option = longOption(given, command);
      // With a value it is the file, also where --config alone is the flag of attach.
      const isFile = option.key === 'config' && inWord !== undefined;
      take(isFile ? longOption('config', undefined) : option, `--${option.long}`, inWord);
    } else if (/^-./s.test(arg)) {
      for (let letters = arg.slice(1); letters !== '';) {
        const letter = String.fromCodePoint(letters.codePointAt(0) ?? 0);
        const option = shortOption(letter, arg);
        letters = letters.slice(letter.length);
        take(option, `-${letter}`, option.takesValue && letters !== '' ? letters : undefined);
        if (option.takesValue) letters = '';
      }
    } else if (command === undefined) {
      command = commandOf(arg);
    } else operands.push(arg);
  }
  checkUse(command, used);
  if (command !== undefined) checkOperands(command, operands, values);
  return {
    options: [...values.values()],
    operands: command === undefined ? [] : operands,
    ...(command === undefined ? {} : { command }),
  };
};
