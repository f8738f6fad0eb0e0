import type { Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';

import { parseMarbleFile } from './parse.ts';
import { type Event, type Stage, stage } from './stage.ts';

/** What may stand behind `>` in a marble file: makes the stream under test of the file's inputs and parameters. */
export type Subjects = Readonly<Record<string, (on: Stage) => Observable<unknown>>>;

/** Two lists of lines, equal if the code does what the file says. */
export interface Played {
  readonly sentence: string;
  readonly seen: readonly string[];
  readonly expected: readonly string[];
}

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const lines = (events: readonly Event[], dash: number): readonly string[] =>
  [...events]
    .sort((a, b) => a.at - b.at || byText(a.what, b.what))
    .map(({ at, what }) => `${String(at / dash).padStart(3)} dashes  ${what}`);

/** Plays the text of a marble file in virtual time. Throws where the file is wrong. The grammar is in marbles/README.md. */
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
