import { statSync } from 'node:fs';

import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { asyncScheduler, defer, EMPTY, last, map, of, repeat, takeWhile, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import { decodeReferences } from '../xml/references.ts';
import { lookAtDisk } from './read-disk.ts';
import { readPort$, readSocket$ } from './read-channel.ts';
import { reasonOf } from '../model/reason.ts';
import { failure, type Result, success } from '../model/result.ts';

/** One metric of a document. Text is decoded; numbers stay as they are printed. */
export interface DumpedMetric {
  readonly context: string;
  readonly name: string;
  readonly type: string;
  readonly unit?: string;
  readonly value: string;
  readonly id?: string;
  readonly uuid?: string;
}

/** The verified content of a metrics disk or the reply of a channel, or the reason of the failure in one line. */
export type Dump = Result<{ readonly xml: string; readonly metrics: readonly DumpedMetric[] }>;

export interface DumpOptions {
  /** Longest wait for a busy disk or a reply, in milliseconds. */
  readonly wait?: number;
  /** Milliseconds between two reads of a disk. */
  readonly poll?: number;
  readonly scheduler?: SchedulerLike;
}

/** Reads of a disk with a wrong checksum: it may be a torn read, but does not pass by waiting longer. */
const SUM_LOOKS = 5;

/** Reads and verifies a metrics disk. Waits a bounded time while it is busy. Emits once, never errors. */
export const readDisk$ = (
  path: string,
  { wait = 5000, poll = 100, scheduler = asyncScheduler }: DumpOptions = {},
): Observable<Result<string>> =>
  defer(() => {
    const deadline = scheduler.now() + wait;
    let badSums = 0;
    return defer(() => of(lookAtDisk(path))).pipe(
      repeat({ delay: () => (scheduler.now() < deadline ? timer(poll, scheduler) : EMPTY) }),
      takeWhile(({ kind }) => {
        if (kind === 'sum') badSums += 1;
        return kind !== 'content' && kind !== 'never' && badSums < SUM_LOOKS;
      }, true),
      last(),
      map((look) => (look.kind === 'content' ? success(look.content.toString('utf8')) : failure(look.message))),
    );
  });

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  isArray: (name) => name === 'metric',
});

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const field = (metric: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = metric[name];
  return typeof value === 'string' ? decodeReferences(value) : undefined;
};

const dumped = (metric: unknown): DumpedMetric => {
  const fields = isRecord(metric) ? metric : {};
  const [unit, id, uuid] = ['@unit', '@id', '@uuid'].map((name) => field(fields, name));
  return {
    context: field(fields, '@context') ?? '',
    name: field(fields, 'name') ?? '',
    type: field(fields, '@type') ?? '',
    ...(unit === undefined ? {} : { unit }),
    value: field(fields, 'value') ?? '',
    ...(id === undefined ? {} : { id }),
    ...(uuid === undefined ? {} : { uuid }),
  };
};

/**
 * Parses the metrics of a document, in its order.
 *
 * @throws Error if it is not well-formed or not a document of metrics.
 */
export const parseMetrics = (xml: string): readonly DumpedMetric[] => {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) throw new Error(`line ${valid.err.line}: ${valid.err.msg}`);
  const root: unknown = parser.parse(xml);
  const metrics = isRecord(root) ? root['metrics'] : undefined;
  if (metrics === undefined) throw new Error('it has no <metrics> element');
  const list = isRecord(metrics) ? metrics['metric'] : undefined;
  return Array.isArray(list) ? list.map(dumped) : [];
};

const read$ = (path: string, options: DumpOptions): Observable<Result<string>> => {
  try {
    const stats = statSync(path);
    if (stats.isSocket()) return readSocket$(path, options);
    if (stats.isCharacterDevice()) return readPort$(path, options);
  } catch {
    // Reading reports the reason.
  }
  return readDisk$(path, options);
};

/**
 * Reads the metrics of a disk (a file, or in a guest the block device), or requests them on a channel (a socket, or in
 * a guest the character device of its port). Emits once; a failure is a value.
 */
export const dump$ = (path: string, options: DumpOptions = {}): Observable<Dump> =>
  defer(() => read$(path, options)).pipe(
    map((read): Dump => {
      if (!read.ok) return read;
      try {
        return success({ xml: read.value, metrics: parseMetrics(read.value) });
      } catch (error) {
        return failure(`${path} holds no well-formed document: ${reasonOf(error)}`);
      }
    }),
  );

/** Formats metrics as a JSON array with a final line break. */
export const toJson = (metrics: readonly DumpedMetric[]): string => `${JSON.stringify(metrics, null, 2)}\n`;
