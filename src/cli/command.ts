import type { InferredOptionTypes, Options } from 'yargs';

import { didYouMean, quote } from '../model/suggest.ts';

/** Configuration file without -f. */
export const DEFAULT_CONFIG = '/etc/vhostmd/vhostmd.conf';

export const FLAG = { type: 'boolean', nargs: 0, default: false, global: false } as const;
export const VALUE = { type: 'string', requiresArg: true, global: false } as const;

/** Options of every command that yargs adds. */
export const BUILT_IN = {
  help: { type: 'boolean', alias: 'h', describe: 'Print a summary of the options' },
  version: { type: 'boolean', describe: 'Print the version' },
} as const;

/** Options of every command. */
export const COMMON = {
  // An empty URI means libvirt's default.
  connect: {
    ...VALUE,
    takes: 'URI',
    alias: 'c',
    describe: "URI of libvirt (default: libvirt's own)",
    coerce: (uri: string): string | undefined => (uri === '' ? undefined : uri),
  },
  f: { ...VALUE, takes: 'FILE', alias: 'config', default: DEFAULT_CONFIG, describe: 'Configuration file' },
} as const;

/**
 * Reads a value that is one of a few.
 *
 * @throws Error of one line, where yargs would print several.
 */
export const oneOf = <T extends string>(what: string, values: readonly T[], given: string): T => {
  const value = values.find((known) => known === given);
  if (value !== undefined) return value;
  const hint = didYouMean(given, values);
  throw new Error(`${what} must be one of ${values.join(', ')}, found ${quote(given)}${hint}`);
};

export type Option = Options & { readonly alias?: string; readonly describe: string } & (
    | { readonly type: 'boolean' }
    /** `takes`: the word for its value in the manual. */
    | { readonly type: 'string'; readonly takes: string }
  );
type OptionTable = Readonly<Record<string, Option>>;
type OperandTable = Readonly<
  Record<
    string,
    {
      readonly type: 'string';
      readonly describe: string;
      readonly demandOption?: true;
      readonly choices?: readonly string[];
      readonly coerce?: (given: string) => string;
    }
  >
>;

type Values<O extends OptionTable, P extends OperandTable> = InferredOptionTypes<typeof COMMON & O & P>;

/** A command for yargs: a file in `commands`, and a line in `commands.ts`. */
export interface Command<O extends OptionTable = OptionTable, P extends OperandTable = OperandTable> {
  /** Name and operands, as `name <needed> [optional]`; `$0` is the daemon. */
  readonly command: string;
  readonly describe: string;
  readonly operands: P;
  /** Options besides `COMMON`. If one of them is `config`, only -f names the configuration file. */
  readonly options: O;
  readonly examples?: readonly (readonly [line: string, purpose: string])[];
  /** @throws Error if options exclude each other. */
  check?(argv: Values<O, P>): void;
  /** Resolves to the exit status. Imports its modules itself, so that other commands start without them. */
  handler(argv: Values<O, P>): Promise<number | undefined> | number | undefined;
}

/** Declares a command: the types of the options of its `handler` follow from `options`. */
export const defineCommand = <const O extends OptionTable, const P extends OperandTable>(
  command: Command<O, P>,
): Command<O, P> => command;
