import { BUILT_IN, COMMON, type Option } from '../command.ts';
import { COMMANDS, DAEMON } from '../commands.ts';

const PROGRAM = 'complete --command vhostmd';
/** Words for values and operands that are files. */
const FILES = new Set(['DISK', 'FILE', 'PATH', 'SOURCE']);

const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;

const valuesOf = ({ type, choices, takes }: Option & { readonly takes?: string }): string => {
  if (type === 'boolean') return '';
  if (choices !== undefined) return ` --exclusive --arguments ${quoted(choices.join(' '))}`;
  if (takes === 'USER') return " --exclusive --arguments '(__fish_complete_users)'";
  return takes !== undefined && FILES.has(takes) ? ' --require-parameter --force-files' : ' --exclusive';
};

const optionLines = (options: Readonly<Record<string, Option>>, condition: string): readonly string[] =>
  Object.entries(options).map(([key, option]) => {
    const names = [key, option.alias ?? ''].map((name) =>
      name === '' ? '' : name.length === 1 ? ` --short-option ${name}` : ` --long-option ${name}`,
    );
    return `${PROGRAM}${condition}${names.join('')}${valuesOf(option)} --description ${quoted(option.describe)}`;
  });

/** Returns the script by which fish completes command lines: commands, options, their values and files. */
export const fishScript = (): string => {
  const names = COMMANDS.map(({ command }) => command.split(' ', 1)[0] ?? '');
  const none = ` --condition 'not __fish_seen_subcommand_from ${names.join(' ')}'`;
  return [
    `${PROGRAM} --no-files`,
    ...optionLines({ ...COMMON, ...BUILT_IN, ...DAEMON.options }, none),
    ...COMMANDS.flatMap(({ describe, operands, options }, index) => {
      const name = names[index] ?? '';
      const condition = ` --condition '__fish_seen_subcommand_from ${name}'`;
      const { alias, ...file } = COMMON.f;
      const common = { ...COMMON, f: 'config' in options ? file : { ...file, alias } };
      return [
        `${PROGRAM}${none} --arguments ${name} --description ${quoted(describe)}`,
        ...optionLines({ ...common, ...BUILT_IN, ...options }, condition),
        ...Object.entries(operands).flatMap(([operand, { choices }]) => {
          if (choices !== undefined) return [`${PROGRAM}${condition} --arguments ${quoted(choices.join(' '))}`];
          return FILES.has(operand.toUpperCase()) ? [`${PROGRAM}${condition} --force-files`] : [];
        }),
      ];
    }),
  ].join('\n');
};
