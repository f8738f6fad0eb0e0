import type { WriteStream } from 'node:tty';

import { connect, filter, ignoreElements, map, merge, type Observable, type OperatorFunction, scan, tap } from 'rxjs';

import { drawn$, type Owner, sizeOf } from '../watch/terminal.ts';
import type { Frame } from '../watch/frames.ts';
import type { Line } from '../watch/table.ts';
import { type Observation, statusOf } from './observation.ts';
import type { Seen } from './observe.ts';
import { wrapped } from './wrapped.ts';
import { type Form, linesOf, logLines, type Shown } from './output.ts';

/** What was printed: `status` is the exit status that it means. */
export type Printed =
  | { readonly kind: 'observed'; readonly status: 0 | 1 | 2 }
  | Exclude<Seen, { readonly kind: 'observed' }>;

// Of several domains a cause counts; else that one could be looked at.
const statusOfAll = (all: readonly Observation[]): 0 | 1 | 2 => {
  const statuses = all.map(statusOf);
  if (statuses.includes(1)) return 1;
  return statuses.length > 0 && statuses.every((status) => status === 2) ? 2 : 0;
};

const frameOf = (all: readonly string[], output: WriteStream): Frame => {
  const size = sizeOf(output);
  const lines = all.flatMap((line) => wrapped(line, size.columns));
  const line = (_: unknown, at: number): Line => ({
    text: (lines[at] ?? '').slice(0, size.columns).padEnd(size.columns),
    look: at === 0 ? 'strong' : 'plain',
  });
  return { size, lines: Array.from({ length: size.rows }, line) };
};

const owner: Owner = {
  on: (event, listener) => process.on(event, listener),
  off: (event, listener) => process.off(event, listener),
  stop: () => process.kill(process.pid, 'SIGSTOP'),
};

type Observed = Extract<Seen, { readonly kind: 'observed' }>;
const isObserved = (seen: Seen): seen is Observed => seen.kind === 'observed';

const onScreen = (form: Form, output: WriteStream, seen$: Observable<Observed>): Observable<never> =>
  drawn$(seen$.pipe(map(({ observations }) => frameOf(linesOf(observations, form), output))), output, undefined, owner);

const asLog = (form: Form, output: WriteStream, seen$: Observable<Observed>): Observable<never> =>
  seen$.pipe(
    scan(
      ({ shown }: { readonly shown: Shown; readonly lines: readonly string[] }, { observations }) =>
        logLines(observations, form, shown, new Date().toISOString()),
      { shown: new Map(), lines: [] },
    ),
    tap(({ lines }) => output.write(lines.map((line) => `${line}\n`).join(''))),
    ignoreElements(),
  );

const once = (form: Form, output: WriteStream, seen$: Observable<Observed>): Observable<never> =>
  seen$.pipe(
    tap(({ observations }) => output.write(`${linesOf(observations, form).join('\n')}\n`)),
    ignoreElements(),
  );

/** True if the output is redrawn again and again on a terminal. */
export const isScreen = ({ json, watch }: Form, { isTTY }: Pick<WriteStream, 'isTTY'>): boolean =>
  watch && isTTY && !json && process.env['TERM'] !== 'dumb';

/** Prints what was seen: once, as a log, or on the screen of a terminal. */
export const print$ = (form: Form, output: WriteStream): OperatorFunction<Seen, Printed> => {
  const loop = isScreen(form, output) ? onScreen : asLog;
  const print = form.watch ? loop : once;
  return connect((all$) =>
    merge(
      print(form, output, all$.pipe(filter(isObserved))),
      all$.pipe(
        map((seen): Printed =>
          isObserved(seen) ? { kind: 'observed', status: statusOfAll(seen.observations) } : seen,
        ),
      ),
    ),
  );
};
