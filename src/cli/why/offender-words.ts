import { escapeForLog } from '../../model/value.ts';
import type { Offender } from './offender.ts';

type Of<K extends Offender['kind']> = Extract<Offender, { readonly kind: K }>;

const NAME = 128;
const quoted = (name: string): string => `"${escapeForLog(name, NAME)}"`;
const shown = (name: string): string => escapeForLog(name, NAME);

/** Formats a number with at most three digits, or as a whole number. */
export const short = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
};

const mib = (kib: number): string => `${short(kib / 1024)} MiB`;
const cpus = (count: number): string => `${short(count)} ${short(count) === '1' ? 'CPU' : 'CPUs'}`;
const from = (source: string | undefined): string => (source === undefined ? '' : ` (${shown(source)})`);

const WORDS: { readonly [K in Offender['kind']]: (offender: Of<K>) => string } = {
  cpu: ({ hostCpus, own, outside, domains }) => {
    const whole = hostCpus === undefined ? 'the CPUs' : `${cpus(hostCpus)} of the host`;
    const users = [
      ...domains.map(({ name, cpus: count }) => `${quoted(name)} used ${cpus(count)}`),
      ...(outside === undefined ? [] : [`processes outside of VMs ${cpus(outside)}`]),
      `the VM itself ${cpus(own)}`,
    ];
    return `Of ${whole}: ${users.join(', ')}.`;
  },
  disk: ({ disk, source, ms, rate }) =>
    `The slowest disk is ${shown(disk)}${from(source)}: ${short(ms)} ms for a request, ${short(rate)} requests per second.`,
  limit: ({ disk, source, limit, rate, most }) =>
    `Disk ${shown(disk)}${from(source)} is at ${short(rate)} of its ${short(most)} per second (${limit}).`,
  interface: ({ interface: name, packets, drops }) =>
    `Interface ${shown(name)} dropped ${short(drops)} of ${short(packets)} packets.`,
  job: ({ job, progress }) => {
    if (job === 'none') return 'The job has ended.';
    return `The job is: ${shown(job)}${progress === undefined ? '' : `, ${short(progress)} % done`}.`;
  },
  memory: ({ swapped, limit, refaults }) => {
    const parts = [
      ...(swapped === undefined ? [] : [`${mib(swapped)} of the VM are in the host's swap`]),
      ...(refaults === undefined ? [] : [`${short(refaults)} pages were read back`]),
      ...(limit === undefined ? [] : [`the limit of the VM itself (hard_limit) is ${mib(limit)}`]),
    ];
    const text = parts.join(', ');
    return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  },
  quota: ({ cpus: count, periods, throttled }) => {
    const what = count === undefined ? [] : [`The quota leaves ${cpus(count)} to it.`];
    const often =
      periods === undefined || throttled === undefined || periods === 0
        ? []
        : [`It stopped the VM in ${short(throttled)} of ${short(periods)} periods.`];
    return [...what, ...often].join(' ');
  },
  pause: ({ reason, paused }) => {
    const state = paused ? 'It is paused now' : 'It runs again';
    return reason === undefined || reason === 'none' ? `${state}.` : `${state}; the reason is: ${shown(reason)}.`;
  },
};

/** Returns who or what is behind a cause, in a sentence; empty if there is nothing to say. */
export const wordsOf = <K extends Offender['kind']>(offender: Of<K>): string => {
  const words: (offender: Of<K>) => string = WORDS[offender.kind];
  return words(offender);
};
