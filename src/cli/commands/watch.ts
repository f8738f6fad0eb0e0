import { defineCommand, FLAG, oneOf, VALUE } from '../command.ts';
import { quote } from '../../model/suggest.ts';
import { SORTS, USUAL_SORT } from '../watch/view.ts';

const countOf = (count: string): number => {
  if (/^[1-9]\d{0,8}$/.test(count)) return Number(count);
  throw new Error(`Option --count must be a number from 1 to 999999999, found ${quote(count)}`);
};

export const watch = defineCommand({
  command: 'watch [disk]',
  describe: 'Show the domains on a metrics disk, live in a terminal, else as text',
  operands: { disk: { type: 'string', describe: 'Metrics disk (default: the running daemon, or its disk)' } },
  options: {
    once: { ...FLAG, describe: 'Print the table once, as text, and exit' },
    count: {
      ...VALUE,
      takes: 'N',
      describe: 'Print the table this number of times, once per document, and exit',
      coerce: countOf,
    },
    socket: { ...VALUE, takes: 'PATH', describe: 'Follow the daemon on this socket instead of a disk' },
    sort: {
      ...VALUE,
      takes: 'COLUMN',
      default: USUAL_SORT,
      describe: 'Column by which the rows are sorted',
      choices: SORTS,
      coerce: (given: string) => oneOf('Option --sort', SORTS, given),
    },
  },
  examples: [['$0 watch --once --sort memory', 'Print the table once, the domain with the most memory first']],
  check: ({ disk, socket, once, count }) => {
    if (disk !== undefined && socket !== undefined) throw new Error('A disk and --socket exclude each other');
    if (once && count !== undefined) throw new Error('Options --once and --count exclude each other');
  },
  handler: async ({ disk, f: config, once, count, sort, socket }) =>
    await (await import('../handlers/watch.ts')).watch({ disk, config, sort, socket, count: once ? 1 : count }),
});
