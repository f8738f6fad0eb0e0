import type { Domain, KnownDomain, MetricDefinition, Outcome, Reading } from '../../src/model/metric.ts';
import { byRun } from '../../src/model/run-order.ts';
import type { Batch } from '../../src/streams/poll.ts';
import { initialState, type Message, nextState, type State } from '../../src/streams/snapshot-state.ts';
import type { Trigger } from '../../src/streams/trigger.ts';

const metric = (index: number, context: 'host' | 'vm'): MetricDefinition => ({
  index,
  name: `m${index}`,
  type: 'uint32',
  context,
  source: { kind: 'stat', stat: 'cpu.time' },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'f', line: 1, column: 1 },
});
export const [host, ofVm] = [metric(0, 'host'), metric(1, 'vm')];
export const a: Domain = { uuid: 'a', id: 1, name: 'a' };
export const b: Domain = { uuid: 'b', id: 2, name: 'b' };

export const value = (text: string): Outcome => ({ ok: true, samples: [{ name: 'n', type: 'uint32', value: text }] });
export const hostReading = (text: string): Reading => ({ metric: host, outcome: value(text) });
export const reading = (domain: Domain, text: string): Reading => ({ metric: ofVm, domain, outcome: value(text) });

export const knownOf = ({ uuid, id, name }: Domain): KnownDomain => ({ uuid, id, name, persistent: false });
const KNOWN = new Map([a, b].map((domain) => [domain, knownOf(domain)]));

/** Returns a tick, or a change of the domains, at `at`. */
export const trigger = (
  cause: Trigger['cause'],
  at: number,
  domains: readonly Domain[],
  more: Partial<Trigger> = {},
): Trigger => ({
  cause,
  tick: 0,
  at,
  inventory: {
    connected: true,
    heard: true,
    domains: [...domains].sort(byRun),
    known: domains.flatMap((domain) => KNOWN.get(domain) ?? []),
  },
  reached: false,
  due: domains,
  gone: new Set(),
  ...more,
});
export const batch = (kind: Batch['kind'], of: Trigger, ...readings: readonly Reading[]): Batch => ({
  kind,
  trigger: of,
  readings,
});

/** Returns the state after these messages, the n-th at n milliseconds. */
export const after = (messages: readonly Message[], from: State = initialState([host, ofVm])): State =>
  messages.reduce((state, message, at) => nextState(state, message, at), from);

export const tick = trigger('tick', 7, [a]);
/** Returns the tick with number `at` at time `at`. */
export const later = (at: number, more: Partial<Trigger> = {}): Trigger => ({ ...tick, tick: at, at, ...more });
const whole = batch('whole', tick, hostReading('1'), reading(a, '2'));
// A new one for each test, because its values change.
export const started = (): State => after([tick, whole]);
