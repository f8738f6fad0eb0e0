import type { Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';

import { parseMarbleFile } from './parse.ts';
import { type Event, type Stage, stage } from './stage.ts';

/** Streams under test by the name after `>` in a marble file; each is built from the inputs of a {@link Stage}. */
export type Subjects = Readonly<Record<string, (on: Stage) => Observable<unknown>>>;

/** Result of {@link playMarbles}. `seen` equals `expected` if the code does what the file says. */
export interface Played {
  /** First line of the file: the rule in words. */
  readonly sentence: string;
  readonly seen: readonly string[];
  readonly expected: readonly string[];
}

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const lines = (events: readonly Event[], dash: number): readonly string[] =>
  [...events]
    .sort((a, b) => a.at - b.at || byText(a.what, b.what))
    .map(({ at, what }) => `${String(at / dash).padStart(3)} dashes  ${what}`);

/**
 * Plays a marble file in virtual time: no test waits. The grammar is in marbles/README.md.
 *
 * @param text - The whole file.
 * @throws Error if the file breaks the grammar, names a subject that is not in `subjects`, or has a stream or parameter
 * that the subject does not use; and any error of the stream under test.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict';
 * import { readFileSync } from 'node:fs';
 * import { throttleTime } from 'rxjs';
 * import { playMarbles, type Subjects } from 'vhostmd/testing';
 *
 * const subjects: Subjects = {
 *   throttled: ({ scheduler, parameter, input$, watch$ }) => {
 *     const pause = Number(parameter('pause'));
 *     return watch$('out', input$('in', Number).pipe(throttleTime(pause, scheduler)), String);
 *   },
 * };
 *
 * const { seen, expected } = playMarbles(readFileSync('throttled.txt', 'utf8'), subjects);
 * assert.deepEqual(seen, expected);
 * ```
 */
export const playMarbles = (text: string, subjects: Subjects): Played => {
  const file = parseMarbleFile(text);
  const subject = Object.hasOwn(subjects, file.subject) ? subjects[file.subject] : undefined;
  if (subject === undefined)
    throw new Error(`unknown subject: ${file.subject}; known are ${Object.keys(subjects).join(', ')}`);
  const factor = TestScheduler.frameTimeFactor;
  TestScheduler.frameTimeFactor = file.dash;
  try {
    const { seen, expected } = stage(file).play(subject);
    return { sentence: file.sentence, seen: lines(seen, file.dash), expected: lines(expected, file.dash) };
  } finally {
    TestScheduler.frameTimeFactor = factor;
  }
};
