import yargs, { type Argv, type FallbackCompletionFunction } from 'yargs';

import { unmarked, wordsOf } from './arguments.ts';
import { BUILT_IN, COMMON, type Command } from './command.ts';
import { COMMANDS, DAEMON } from './commands.ts';
import { reasonOf } from '../model/reason.ts';
import { complain } from '../system/safe-output.ts';
import { version } from '../system/version.ts';

type Values = Parameters<Command['handler']>[0];
type Work = () => ReturnType<Command['handler']>;

const build = (found: (work: Work) => void): Argv =>
  [DAEMON, ...COMMANDS].reduce<Argv>(
    (parser, { operands, examples = [], ...one }) =>
      parser.command(
        one.command,
        one.describe,
        (own) => {
          for (const [name, operand] of Object.entries(operands))
            own.positional(name, {
              ...operand,
              coerce: (given: string) => (operand.coerce ?? String)(unmarked(given)),
            });
          for (const [line, purpose] of examples) own.example(line, purpose);
          const f = { ...COMMON.f, ...('config' in one.options ? { alias: [] } : {}) };
          return own.options({ ...COMMON, f, ...one.options }).check((argv) => {
            one.check?.(argv as Values);
            return true;
          });
        },
        (argv) => found(() => one.handler(argv as Values)),
      ),
    yargs()
      .scriptName('vhostmd')
      .usage('Usage: $0 [OPTION]... [COMMAND]\n\nPublishes metrics of the host to its virtual machines.')
      .parserConfiguration({
        'boolean-negation': false,
        'camel-case-expansion': false,
        'dot-notation': false,
        'parse-numbers': false,
        'parse-positional-numbers': false,
      })
      .strict()
      .help('help', BUILT_IN.help.describe)
      .alias('help', BUILT_IN.help.alias)
      .version('version', BUILT_IN.version.describe, version())
      .exitProcess(false)
      .fail(false)
      .wrap(100),
  );

/** Option with which the script of `vhostmd completion` calls vhostmd, followed by the words so far. */
const COMPLETE = '--get-yargs-completions';

const isOption = (word: string): boolean => word.startsWith('-');

// yargs lists the daemon's command as `$0`, and options beside operands; it gives single letters two hyphens.
const complete: FallbackCompletionFunction = (current, _argv, all, done) =>
  all((_error, words = []) => {
    const known = words.map((word) => word.replace(/^-(-.)$/, '$1')).filter((word) => !word.startsWith('$0'));
    const others = isOption(current) ? [] : known.filter((word) => !isOption(word));
    done(others.length > 0 ? others : known);
  });

// yargs adds a command without operands by this name, which must hide none of COMMANDS.
const SCRIPT = 'yargs-completion-script';

/** Adds the options of the daemon, which yargs does not complete for the command `$0`. */
const completing = (parser: Argv): Argv =>
  parser.options({ ...COMMON, ...DAEMON.options }).completion(SCRIPT, false, complete);

/** Runs a command line (without node and script); resolves to the exit status. The flags are those of the C daemon. */
export const runCommandLine = async (args: readonly string[]): Promise<number | undefined> => {
  const completes = args[0] === COMPLETE;
  let work: Work = () => 0;
  const parser = build((found) => (work = found));
  try {
    await (completes ? completing(parser).parseAsync(args) : parser.parseAsync(wordsOf(args)));
  } catch (error) {
    // An unfinished line may have mistakes.
    if (completes) return 0;
    complain(`vhostmd: ${reasonOf(error)}\nTry 'vhostmd --help'.`);
    return 2;
  }
  return await work();
};
