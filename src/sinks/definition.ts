import type { SchedulerLike } from 'rxjs';

import type { Sink } from './sink.ts';

/** Version of the interface between daemon and sinks. {@link defineSink} records it; the daemon refuses another one. */
export const SINK_API = 1;

interface Rule<Type extends string, Value> {
  readonly type: Type;
  /** Value if the configuration has none. It is not checked. */
  readonly default?: Value;
  /** True if the configuration must have a value. */
  readonly required?: boolean;
  /** Returns a description of valid values (`a URL like http://host:8086`) if `value` is invalid, else undefined. */
  readonly check?: (value: Value) => string | undefined;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** Rule of one `<option>` of a sink. An absent option without `default` and `required` is undefined. */
export type OptionRule =
  | Rule<'text', string>
  | (Rule<'integer', number> & Range)
  /** Written in seconds (`0.5`); `default`, `min`, `max` and the value are in milliseconds. */
  | (Rule<'seconds', number> & Range)
  /** Written `yes` or `no`. */
  | Rule<'boolean', boolean>
  | (Rule<'choice', string> & { readonly values: readonly string[] });

/** Rules of all options of a sink, by the option's name. */
export type OptionRules = Readonly<Record<string, OptionRule>>;

type ValueOf<R extends OptionRule> = R extends { readonly type: 'integer' | 'seconds' }
  ? number
  : R extends { readonly type: 'boolean' }
    ? boolean
    : R extends { readonly type: 'choice'; readonly values: readonly (infer V)[] }
      ? V
      : string;

/** Checked values of a sink's options; their types follow from the rules. */
export type OptionValues<Rules extends OptionRules> = {
  readonly [Name in keyof Rules]: Rules[Name] extends { readonly required: true } | { readonly default: unknown }
    ? ValueOf<Rules[Name]>
    : ValueOf<Rules[Name]> | undefined;
};

/** Services of the daemon for a sink. */
export interface SinkContext {
  /** Clock of `snapshot.at` (monotonic, milliseconds) and timers; tests replace it. */
  readonly scheduler: SchedulerLike;
  /** Writes one line to the daemon's standard output. `line` comes without its line break. */
  readonly write: (line: string) => void;
}

/** A kind of sink, as a module exports it by default. Made by {@link defineSink}. */
export interface SinkDefinition<Rules extends OptionRules = OptionRules> {
  /** {@link SINK_API} of the version that the sink was written for. */
  readonly api: number;
  /** Name in the log and in messages about options. */
  readonly name: string;
  readonly options: Rules;
  /** Makes a sink and opens nothing: {@link Sink} opens its target when `run` is subscribed to. */
  // A method: its parameters are bivariant, so a definition with any rules is assignable to SinkDefinition.
  make(options: OptionValues<Rules>, context: SinkContext): Sink;
}

/**
 * Declares a sink: its name, its options, and how to make it from their values. The types of the values follow from
 * the rules. The daemon checks options against the rules before it calls `make`.
 *
 * @example
 * ```ts
 * import { map } from 'rxjs';
 * import { defineSink } from 'vhostmd';
 *
 * export default defineSink({
 *   name: 'count',
 *   options: { prefix: { type: 'text', default: 'metrics' } },
 *   make: ({ prefix }, { write }) => ({
 *     name: 'count',
 *     run: (snapshot$) =>
 *       snapshot$.pipe(
 *         map((snapshot) => {
 *           write(`${prefix}: ${snapshot.host.length}`);
 *           return { kind: 'written', snapshot, message: 'printed' } as const;
 *         }),
 *       ),
 *   }),
 * });
 * ```
 */
export const defineSink = <const Rules extends OptionRules>(
  definition: Omit<SinkDefinition<Rules>, 'api'>,
): SinkDefinition<Rules> => ({ api: SINK_API, ...definition });
