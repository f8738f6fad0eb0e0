import type { SchedulerLike } from 'rxjs';

import type { Sink } from './sink.ts';

/** Number of the interface between the daemon and sinks; a module says which one it was written for. */
export const SINK_API = 1;

interface Rule<Type extends string, Value> {
  readonly type: Type;
  /** The value where the configuration gives none; it is not checked. */
  readonly default?: Value;
  /** The configuration must give one. */
  readonly required?: boolean;
  /** What a value must be (`a URL like http://host:8086`) if this one is not, else nothing. */
  readonly check?: (value: Value) => string | undefined;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** What one `<option>` of a sink may be. Without `default` and `required` it may be missing: its value is undefined then. */
export type OptionRule =
  | Rule<'text', string>
  | (Rule<'integer', number> & Range)
  /** Written in seconds, also `0.5`; `default`, `min`, `max` and the value are in milliseconds. */
  | (Rule<'seconds', number> & Range)
  /** Written `yes` or `no`. */
  | Rule<'boolean', boolean>
  | (Rule<'choice', string> & { readonly values: readonly string[] });

export type OptionRules = Readonly<Record<string, OptionRule>>;

type ValueOf<R extends OptionRule> = R extends { readonly type: 'integer' | 'seconds' }
  ? number
  : R extends { readonly type: 'boolean' }
    ? boolean
    : R extends { readonly type: 'choice'; readonly values: readonly (infer V)[] }
      ? V
      : string;

/** The checked values of a sink's options. */
export type OptionValues<Rules extends OptionRules> = {
  readonly [Name in keyof Rules]: Rules[Name] extends { readonly required: true } | { readonly default: unknown }
    ? ValueOf<Rules[Name]>
    : ValueOf<Rules[Name]> | undefined;
};

/** What a sink may use of the daemon. */
export interface SinkContext {
  /** The monotonic clock that `snapshot.at` is of, and the timers that tests replace. */
  readonly scheduler: SchedulerLike;
  /** Writes one line to the daemon's standard output; without its line break. */
  readonly write: (line: string) => void;
}

/** A kind of sink: its options, and how to make it of their values. Making it opens nothing. */
export interface SinkDefinition<Rules extends OptionRules = OptionRules> {
  /** `SINK_API` of the version that it was written for. */
  readonly api: number;
  /** For the log, and for messages about its options. */
  readonly name: string;
  readonly options: Rules;
  // A method, so that a definition of some rules is one of any rules.
  make(options: OptionValues<Rules>, context: SinkContext): Sink;
}

/** Declares a sink: the types of its options' values follow from its rules. */
export const defineSink = <const Rules extends OptionRules>(
  definition: Omit<SinkDefinition<Rules>, 'api'>,
): SinkDefinition<Rules> => ({ api: SINK_API, ...definition });
