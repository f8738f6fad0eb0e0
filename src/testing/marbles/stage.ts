import { concatMap, defer, finalize, NEVER, type Observable, of, tap, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';

import type { MarbleFile, Marbles, Stream } from './parse.ts';

/** An event that was seen or is expected, at a time in milliseconds. */
export interface Event {
  readonly at: number;
  readonly what: string;
}

/** Inputs and parameters of one marble file, and virtual time, for a subject of {@link Subjects}. */
export interface Stage {
  /** Virtual time. Pass it to every operator that has a scheduler. */
  readonly scheduler: TestScheduler;
  /** Value of a parameter; undefined if the file has none of that name. */
  readonly parameter: (name: string) => string | undefined;
  /** Like `parameter`, for all parameters whose name matches. */
  readonly parameters: (name: RegExp) => readonly (readonly [RegExpExecArray, string])[];
  /** Matches of the titles of the file's streams. */
  readonly titles: (pattern: RegExp) => readonly RegExpExecArray[];
  /**
   * A stream above the subject as an input. `decode` turns the meaning of each letter into a value.
   *
   * @throws Error if the file has no such stream, or has it below the subject.
   */
  readonly input$: <T>(title: string, decode: (text: string) => T) => Observable<T>;
  /**
   * A stream of runs as a cold observable: subscription N is the run of the stream's letter N. Compares the start of
   * each run with the place of its letter, and with a `#` in the run the time of its unsubscription.
   *
   * @throws Error if the file has no such stream, or the stream has letters that are not runs.
   */
  readonly run$: <T>(title: string, decode: (text: string) => T) => Observable<T>;
  /** Passes `value$` on and compares it with the file's stream of that title, if there is one. */
  readonly watch$: <T>(title: string, value$: Observable<T>, show: (value: T) => string) => Observable<T>;
}

type Message = ReturnType<typeof TestScheduler.parseMarbles>[number];

const decoded = <T>({ values }: Marbles, letters: string, decode: (text: string) => T): Record<string, T> =>
  Object.fromEntries([...new Set(letters.match(/[A-Za-z0-9]/g))].map((key) => [key, decode(values.get(key) ?? key)]));

// The meaning `error: why` makes the stream of a run fail.
const orError$ = <T>(text: string, decode: (text: string) => T): Observable<T> =>
  text.startsWith('error: ') ? throwError(() => new Error(text.slice('error: '.length))) : of(decode(text));

/** Sets a file up. `play` runs a subject to the file's end, and returns the events seen and those expected. */
export const stage = (file: MarbleFile) => {
  const scheduler = new TestScheduler(() => undefined);
  const end = Math.max(...file.streams.map(({ marbles }) => marbles.length)) * file.dash;
  scheduler.maxFrames = end - 1;
  const unreadParameters = new Set(file.parameters.keys());
  const unreadStreams = new Set(file.streams.map(({ title }) => title));
  const seen: Event[] = [];
  const expected: Event[] = [];
  const runs = new Map<string, readonly Message[]>();
  let playing = true;

  const see = (what: string): void => {
    if (playing) seen.push({ at: scheduler.now(), what });
  };
  const streamOf = (title: string): Stream => {
    const stream = file.streams.find((candidate) => candidate.title === title);
    if (stream === undefined) throw new Error(`undeclared input: no stream has the title "${title}"`);
    unreadStreams.delete(title);
    return stream;
  };
  const runsOf = (title: string): readonly Message[] => {
    const stream = streamOf(title);
    const starts = TestScheduler.parseMarbles(stream.marbles);
    starts.forEach(({ frame, notification }, index) => {
      if (notification.kind !== 'N' || !stream.runs.has(String(notification.value)))
        throw new Error(`"${title}" may hold runs only: ${stream.marbles}`);
      expected.push({ at: frame, what: `${title}: run ${index + 1} starts` });
      const { marbles } = stream.runs.get(String(notification.value)) as Marbles;
      for (const message of TestScheduler.parseMarbles(marbles)) {
        if (message.notification.kind !== 'E' || frame + message.frame >= end) continue;
        expected.push({ at: frame + message.frame, what: `${title}: run ${index + 1} is cut off` });
      }
    });
    return starts;
  };
  const started = new Map<string, number>();

  const on: Stage = {
    scheduler,
    parameter: (name) => {
      unreadParameters.delete(name);
      return file.parameters.get(name);
    },
    parameters: (name) =>
      [...file.parameters].flatMap(([key, value]) => {
        const match = name.exec(key);
        if (match === null) return [];
        unreadParameters.delete(key);
        return [[match, value] as const];
      }),
    titles: (pattern) => file.streams.map(({ title }) => pattern.exec(title)).filter((match) => match !== null),
    input$: (title, decode) => {
      const stream = streamOf(title);
      if (stream.output) throw new Error(`"${title}" is an input: it belongs above the subject`);
      return scheduler.createHotObservable(stream.marbles, decoded(stream, stream.marbles, decode));
    },
    run$: (title, decode) => {
      const starts = runs.get(title) ?? runsOf(title);
      runs.set(title, starts);
      return defer(() => {
        const index = started.get(title) ?? 0;
        started.set(title, index + 1);
        see(`${title}: run ${index + 1} starts`);
        const start = starts[index];
        if (start?.notification.kind !== 'N') return NEVER;
        const run = streamOf(title).runs.get(String(start.notification.value)) as Marbles;
        let over = false;
        const settle = (): void => {
          over = true;
        };
        return scheduler.createColdObservable(run.marbles.replace('#', '-'), decoded(run, run.marbles, String)).pipe(
          concatMap((text) => orError$(text, decode)),
          tap({ complete: settle, error: settle }),
          finalize(() => {
            if (!over) see(`${title}: run ${index + 1} is cut off`);
          }),
        );
      });
    },
    watch$: (title, value$, show) => {
      if (!file.streams.some((stream) => stream.title === title)) return value$;
      const { marbles, values } = streamOf(title);
      for (const { frame, notification } of TestScheduler.parseMarbles(marbles)) {
        if (notification.kind === 'E') throw new Error(`"${title}": a # may stand in a run only`);
        const what =
          notification.kind === 'N' ? (values.get(String(notification.value)) ?? String(notification.value)) : '|';
        expected.push({ at: frame, what: `${title}: ${what}` });
      }
      return value$.pipe(
        tap({
          next: (value) => see(`${title}: ${show(value)}`),
          complete: () => see(`${title}: |`),
        }),
      );
    },
  };

  const play = (subject: (on: Stage) => Observable<unknown>) => {
    let failure: unknown;
    const subscription = subject(on).subscribe({ error: (error: unknown) => (failure = error) });
    scheduler.flush();
    playing = false;
    subscription.unsubscribe();
    if (failure !== undefined) throw failure;
    for (const name of unreadParameters) throw new Error(`unread parameter: ${name}`);
    for (const title of unreadStreams) throw new Error(`nothing reads or writes the stream "${title}"`);
    return { seen, expected };
  };
  return { play };
};
