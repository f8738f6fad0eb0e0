import { fileURLToPath } from 'node:url';

import { asyncScheduler, BehaviorSubject } from 'rxjs';

import type { Snapshot } from '../../src/model/metric.ts';
import type { OptionValues, SinkContext, SinkDefinition } from '../../src/sinks/definition.ts';
import type { Backoff } from '../../src/rx/retry-with-backoff.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { until } from '../support/daemon.ts';

/** Returns the path of a file in `examples/`. */
export const exampleFile = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** Returns the exports of an example, which imports the built package. */
export const loadExample = async <Exports extends object>(name: string): Promise<Exports> =>
  (await import(exampleFile(name))) as Exports;

/** Returns a context with waits between tries that are short enough for the contract. */
export const context = (backoff: Backoff = { first: 10, most: 50 }): SinkContext & { readonly backoff: Backoff } => ({
  scheduler: asyncScheduler,
  write: () => undefined,
  backoff,
});

/** Returns the sink of an example with these values of options, and defaults for the others. */
export const makeExample = async (name: string, values: Readonly<Record<string, unknown>>): Promise<Sink> => {
  const { default: definition } = await loadExample<{ readonly default: SinkDefinition }>(name);
  const defaults = Object.entries(definition.options).map(([option, rule]) => [option, rule.default] as const);
  const all = { ...Object.fromEntries(defaults), ...values } as OptionValues<SinkDefinition['options']>;
  return definition.make(all, context());
};

/** Runs a sink from a first snapshot on, and collects its reports, as `kind: message`. */
export const running = (sink: Sink, first: Snapshot) => {
  const snapshots = new BehaviorSubject(first);
  const reports: string[] = [];
  const subscription = sink.run(snapshots).subscribe(({ kind, message }) => reports.push(`${kind}: ${message}`));
  const reported = async (what: string | RegExp): Promise<void> =>
    await until(`${String(what)} in ${reports.join('; ')}`, () =>
      reports.some((report) => (typeof what === 'string' ? report === what : what.test(report))),
    );
  return { snapshots, reports, reported, stop: () => subscription.unsubscribe() };
};

/** Returns `vhostmd/testing` from the package, as users import it. */
export const testing = async (): Promise<typeof import('../../src/testing/index.ts')> => {
  // Not a literal, because the compiler would need the built package.
  const name: string = 'vhostmd/testing';
  return (await import(name)) as typeof import('../../src/testing/index.ts');
};

/** Returns a `<sink>` of an example for a configuration, with its options. */
export const sinkElement = (module: string, options: Readonly<Record<string, string>> = {}): string => {
  const elements = Object.entries(options).map(([name, value]) => `<option name="${name}">${value}</option>`);
  return `<sink module="${module}">${elements.join('')}</sink>`;
};
