import { map, merge, NEVER, type Observable, of, startWith } from 'rxjs';

import type { Snapshot } from '../../../src/model/metric.ts';
import { exhaustMapLatest } from '../../../src/rx/exhaust-map-latest.ts';
import { deliverLatest } from '../../../src/sinks/delivery.ts';
import type { SinkReport, Writer } from '../../../src/sinks/sink.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

/**
 * `> exhaustMapLatest`: from `values` to `done`; a value of a `writes` run is shown as the value that started the run.
 */
export const exhaustMapLatestSubject = (on: Stage): Observable<unknown> => {
  const value$ = on.input$('values', String);
  const done$ = value$.pipe(exhaustMapLatest((value) => on.run$('writes', String).pipe(map(() => value))));
  return on.watch$('done', done$, String);
};

const snapshotOf = (text: string): Snapshot => ({
  cause: 'tick',
  tick: 0,
  at: 0,
  host: [{ name: 'value', type: 'string', value: text }],
  domainMetrics: [],
  missing: [],
});
const textOf = ({ host }: Snapshot): string => host[0]?.value ?? '';

const show = (report: SinkReport): string => {
  if (report.kind === 'written') return `${textOf(report.snapshot)} written`;
  return report.kind === 'opened' ? 'opened' : `${report.kind}: ${report.message}`;
};

/**
 * `> sinks`: every `sink NAME = ..` gets `snapshots` and reports on `NAME`. It opens and writes at once (`instant`), or
 * as in `opens of NAME` and `writes of NAME` (`opens`, `writes`, `opens writes`). `backoff = first most`, in ms.
 */
export const sinksSubject = (on: Stage): Observable<unknown> => {
  const snapshot$ = on.input$('snapshots', snapshotOf);
  const [first = 1000, most = 30_000] = (on.parameter('backoff') ?? '1000 30000').split(' ').map(Number);
  const sinks = on.parameters(/^sink (\w+)$/).map(([[, name = ''], text]) => {
    if (!/^(instant|opens|writes|opens writes)$/.test(text)) throw new Error(`unknown kind of sink: ${text}`);
    const written = (snapshot: Snapshot): SinkReport => ({ kind: 'written', snapshot, message: '' });
    const write$ = text.includes('writes') ? on.run$(`writes of ${name}`, String) : of('done');
    const writer: Writer = { write$: (snapshot) => write$.pipe(map(() => written(snapshot))) };
    const opened$ = text.includes('opens') ? on.run$(`opens of ${name}`, String) : NEVER.pipe(startWith('open'));
    const open$ = opened$.pipe(map(() => writer));
    return on.watch$(
      name,
      deliverLatest(name, open$, { scheduler: on.scheduler, backoff: { first, most } }).run(snapshot$),
      show,
    );
  });
  return merge(...sinks);
};
