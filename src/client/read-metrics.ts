import { statSync } from 'node:fs';

import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { asyncScheduler, defer, EMPTY, last, map, of, repeat, takeWhile, timer } from 'rxjs';
import type { Observable, SchedulerLike } from 'rxjs';

import { decodeReferences } from '../xml/references.ts';
import { lookAtDisk } from './read-disk.ts';
import { readPort$, readSocket$ } from './read-channel.ts';
import { reasonOf } from '../model/reason.ts';

/** One metric as a reader finds it; text is decoded, numbers stay as they are printed. */
export interface DumpedMetric {
  readonly context: string;
  readonly name: string;
  readonly type: string;
  readonly unit?: string;
  readonly value: string;
  readonly id?: string;
  readonly uuid?: string;
}

/** The verified content of a metrics disk, or the reply of a channel, or why there is none: one clear line. */
export type Dump =
  | { readonly ok: true; readonly xml: string; readonly metrics: readonly DumpedMetric[] }
  | { readonly ok: false; readonly message: string };

export interface DumpOptions {
  /** How long to wait at most for a disk that is busy, or for a reply, in milliseconds. */
  readonly wait?: number;
  /** Milliseconds between two looks at a disk. */
  readonly poll?: number;
  readonly scheduler?: SchedulerLike;
}

type Read = { readonly ok: true; readonly xml: string } | { readonly ok: false; readonly message: string };

/** A wrong sum may be a torn read, so look again; but it does not heal by waiting for long. */
const SUM_LOOKS = 5;

/** Reads and verifies a metrics disk; waits a bounded time while it is busy. Emits once. */
export const readDisk$ = (
  path: string,
  { wait = 5000, poll = 100, scheduler = asyncScheduler }: DumpOptions = {},
): Observable<Read> =>
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
      map((look): Read =>
        look.kind === 'content'
          ? { ok: true, xml: look.content.toString('utf8') }
          : { ok: false, message: look.message },
      ),
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

/** The metrics of a document, in its order. Throws if it is not well-formed, or not a document of metrics. */
export const parseMetrics = (xml: string): readonly DumpedMetric[] => {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) throw new Error(`line ${valid.err.line}: ${valid.err.msg}`);
  const root: unknown = parser.parse(xml);
  const metrics = isRecord(root) ? root['metrics'] : undefined;
  if (metrics === undefined) throw new Error('it has no <metrics> element');
  const list = isRecord(metrics) ? metrics['metric'] : undefined;
  return Array.isArray(list) ? list.map(dumped) : [];
};

const read$ = (path: string, options: DumpOptions): Observable<Read> => {
  try {
    const stats = statSync(path);
    if (stats.isSocket()) return readSocket$(path, options);
    if (stats.isCharacterDevice()) return readPort$(path, options);
  } catch {
    // Reading says why.
  }
  return readDisk$(path, options);
};

/**
 * The metrics on a disk (a file, or in a guest the block device), or of a channel (a socket, or in a guest the
 * character device of its port), which is asked for them. Emits once; a failure is a value.
 */
export const dump$ = (path: string, options: DumpOptions = {}): Observable<Dump> =>
  defer(() => read$(path, options)).pipe(
    map((read): Dump => {
      if (!read.ok) return read;
      try {
        return { ok: true, xml: read.xml, metrics: parseMetrics(read.xml) };
      } catch (error) {
        const why = reasonOf(error);
        return { ok: false, message: `${path} holds no well-formed document: ${why}` };
      }
    }),
  );

/** Metrics as a JSON array, a line break at its end. */
export const toJson = (metrics: readonly DumpedMetric[]): string => `${JSON.stringify(metrics, null, 2)}\n`;
