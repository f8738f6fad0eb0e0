import { defineCommand, FLAG, VALUE } from '../command.ts';
import { quote } from '../../model/suggest.ts';

const LEAST = 2;
const MOST = 3600;

const secondsOf = (given: string): number => {
  const seconds = /^\d{1,4}$/.test(given) ? Number(given) : Number.NaN;
  if (seconds >= LEAST && seconds <= MOST) return seconds;
  throw new Error(`Option --seconds must be a whole number from ${LEAST} to ${MOST}, found ${quote(given)}`);
};

export const why = defineCommand({
  command: 'why [domain]',
  describe: 'Print why a domain is slow; exit 0 if the host shows no cause, 1 if it does, 2 if it could not look',
  operands: { domain: { type: 'string', describe: 'Name, UUID or id of the domain' } },
  options: {
    all: { ...FLAG, describe: 'A line for each domain: name, first cause and its share' },
    json: { ...FLAG, describe: 'Print all figures as JSON' },
    watch: { ...FLAG, describe: 'Print it again and again until Ctrl-C' },
    seconds: {
      ...VALUE,
      takes: 'N',
      default: '5',
      describe: `Seconds between the two readings, from ${LEAST} to ${MOST}`,
      coerce: secondsOf,
    },
  },
  examples: [
    ['$0 why web1', 'Look at web1 for 5 seconds'],
    ['$0 why --all --seconds 60', 'Look at all domains for a minute'],
  ],
  check: ({ domain, all }) => {
    if (domain === undefined && !all) throw new Error('An argument is missing; usage: vhostmd why DOMAIN, or --all');
    if (domain !== undefined && all) throw new Error('A domain and --all exclude each other');
  },
  handler: async ({ domain, connect, json, watch, seconds }) =>
    await (await import('../handlers/why.ts')).why({ domain, connect, json, watch, seconds }),
});
