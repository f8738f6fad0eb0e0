import { BUILT_IN, COMMON, type Command } from './command.ts';
import { COMMANDS, DAEMON } from './commands.ts';
import { didYouMean, quote } from '../model/suggest.ts';

interface Known {
  /** Name of the option in yargs. */
  readonly key: string;
  readonly long: string;
  readonly short: string | undefined;
  readonly takesValue: boolean;
}

const FILE = 'f';
const known = (options: Command['options']): readonly Known[] =>
  Object.entries(options).map(([key, { type, alias }]) => ({
    key,
    long: key === FILE ? 'config' : key,
    short: key === FILE ? key : alias,
    takesValue: type === 'string',
  }));

const OF_ALL = known({ ...COMMON, ...BUILT_IN });
const OF_DAEMON = [...known(DAEMON.options), ...OF_ALL];
const NAMED = COMMANDS.map(({ command, options }) => {
  const [name = '', ...takes] = command.split(' ');
  return { name, usage: command, takes, own: known(options) };
});
type Named = (typeof NAMED)[number];
const NAMES = NAMED.map(({ name }) => name);

/** Options of a command and of the program; of two with the same name (--config of attach) the command's own. */
const optionsOf = (command: Named | undefined): readonly Known[] =>
  command === undefined
    ? OF_DAEMON
    : [...command.own, ...OF_ALL.filter(({ long }) => !command.own.some((own) => own.long === long))];

const longOption = (given: string, command: Named | undefined): Known => {
  const here = optionsOf(command);
  const elsewhere = [...OF_DAEMON, ...NAMED.flatMap(({ own }) => own)];
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
  const option = OF_DAEMON.find(({ short }) => short === letter);
  if (option !== undefined) return option;
  const all = OF_DAEMON.map(({ long }) => long);
  // Suggests --verbose for -verbose.
  const long = word.length > 3 ? didYouMean(word.slice(1), all, (name) => `--${name}`) : '';
  throw new Error(`Unknown option -${shown(letter)}${long}`);
};

const commandOf = (word: string): Named => {
  const command = NAMED.find(({ name }) => name === word);
  if (command === undefined) throw new Error(`Unknown command ${quote(word)}${didYouMean(word, NAMES)}`);
  return command;
};

const checkUse = (command: Named | undefined, used: readonly Known[]): void => {
  const stranger = used.find(({ key }) => !optionsOf(command).some((one) => one.key === key) && key !== FILE);
  if (stranger === undefined) return;
  const users = NAMED.filter(({ own }) => own.some(({ key }) => key === stranger.key)).map(({ name }) => `"${name}"`);
  const forWhat =
    OF_DAEMON.includes(stranger) || users.length === 0
      ? 'the daemon'
      : users.join(', ').replace(/, (?=[^,]*$)/, ' and ');
  const notFor = command === undefined ? 'the daemon' : `"${command.name}"`;
  throw new Error(`Option --${stranger.long} is for ${forWhat}, not for ${notFor}`);
};

const OF_ATTACH = ' (of attach, --config is a flag; --config=FILE and -f FILE name the configuration file)';

const checkOperands = (
  { usage, takes }: Named,
  operands: readonly string[],
  given: ReadonlyMap<string, string>,
): void => {
  const unexpected = operands[takes.length];
  if (unexpected !== undefined)
    throw new Error(
      `Unexpected argument ${quote(unexpected)}; usage: vhostmd ${usage}${given.has('config') ? OF_ATTACH : ''}`,
    );
  const asks = given.has('help') || given.has('version');
  if (!asks && operands.length === 0 && takes.some((operand) => operand.startsWith('<')))
    throw new Error(`An argument is missing; usage: vhostmd ${usage}`);
};

// Marks operands, because yargs takes one that starts with a hyphen for an option.
const MARK = '=';
export const unmarked = (operand: string): string => operand.slice(MARK.length);

/**
 * Reads a command line like getopt_long(3): combined flags, values in the same word or the next, unambiguous
 * abbreviations of long options, the last of repeated options, and operands after `--`, which the daemon ignores.
 * Returns words for yargs, with options as `--name` or `--name=value`.
 *
 * @throws Error for a mistake.
 */
export const wordsOf = (args: readonly string[]): readonly string[] => {
  let command: Named | undefined;
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
    // A word that looks like an option is probably not a value.
    const value = inWord ?? (/^-./s.test(rest[0] ?? '-x') ? undefined : rest.shift());
    // An empty URI means libvirt's default.
    if (value === undefined || (value === '' && key !== 'connect')) throw new Error(`Option ${name} needs a value`);
    values.set(key === 'device' ? `${key} ${values.size}` : key, `--${key}=${value}`);
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      operands.push(...rest.splice(0));
    } else if (arg.startsWith('--')) {
      const [, given = '', inWord] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
      const option = longOption(given, command);
      // With a value it names the file, even where --config alone is the flag of attach.
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
  if (command === undefined) return [...values.values()];
  checkOperands(command, operands, values);
  return [command.name, ...values.values(), ...operands.map((operand) => `${MARK}${operand}`)];
};
