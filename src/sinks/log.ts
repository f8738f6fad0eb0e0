import { defer, of } from 'rxjs';
import type { SchedulerLike } from 'rxjs';

import type { Sample, Snapshot } from '../model/metric.ts';
import { escapeForLog } from '../model/value.ts';
import { deliverLatest } from './delivery.ts';
import type { Backoff } from '../rx/retry-with-backoff.ts';
import { defineSink } from './definition.ts';
import type { Sink } from './sink.ts';

/** `json`: one object per snapshot. `lines`: one line per metric, for people and grep. */
export const LOG_FORMATS = ['json', 'lines'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly format: LogFormat;
  /** Writes one line, given without its line break. */
  readonly write: (line: string) => void;
  readonly scheduler: SchedulerLike;
  readonly backoff?: Backoff;
}

const line = (context: string, { name, type, unit, value }: Sample): string =>
  `${context} ${escapeForLog(name)} ${type} ${escapeForLog(value)}${unit === undefined ? '' : ` ${escapeForLog(unit)}`}`;

const lines = ({ host, domainMetrics }: Snapshot): readonly string[] => [
  ...host.map((sample) => line('host', sample)),
  ...domainMetrics.flatMap(({ domain, samples }) => {
    const context = `vm ${domain.id} ${escapeForLog(domain.uuid)} ${escapeForLog(domain.name)}`;
    return samples.map((sample) => line(context, sample));
  }),
];

const json = ({ cause, tick, host, domainMetrics }: Snapshot): string =>
  JSON.stringify({
    cause,
    tick,
    host,
    vms: domainMetrics.map(({ domain: { id, uuid, name }, samples }) => ({ id, uuid, name, metrics: samples })),
  });

/** Writes every snapshot as text, to show the metrics of the guests. */
export const logSink = ({ format, write, ...options }: LogOptions): Sink =>
  deliverLatest(
    'log',
    of({
      opened: `Log sink opened, format ${format}`,
      write$: (snapshot) =>
        defer(() => {
          const text = format === 'json' ? [json(snapshot)] : lines(snapshot);
          for (const one of text) write(one);
          return of({ kind: 'written', snapshot, message: `${text.length} lines` } as const);
        }),
    }),
    options,
  );

/** `<sink type="log">` */
export const logDefinition = defineSink({
  name: 'log',
  options: { format: { type: 'choice', values: LOG_FORMATS, default: 'json' } },
  make: ({ format }, context) => logSink({ ...context, format }),
});
