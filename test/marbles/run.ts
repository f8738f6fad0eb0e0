import { TestScheduler } from 'rxjs/testing';

import { parseMarbleFile } from './parse.ts';
import { type Event, stage } from './stage.ts';
import { subjects } from './subjects.ts';

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const lines = (events: readonly Event[], dash: number): readonly string[] =>
  [...events]
    .sort((a, b) => a.at - b.at || byText(a.what, b.what))
    .map(({ at, what }) => `${String(at / dash).padStart(3)} dashes  ${what}`);

/** Plays a marble file and returns two lists of lines, equal if the code does what the file says. */
export const runMarbleFile = (
  text: string,
): { readonly seen: readonly string[]; readonly expected: readonly string[] } => {
  const file = parseMarbleFile(text);
  const subject = subjects[file.subject];
  if (subject === undefined)
    throw new Error(`unknown subject: ${file.subject}; known are ${Object.keys(subjects).join(', ')}`);
  const factor = TestScheduler.frameTimeFactor;
  TestScheduler.frameTimeFactor = file.dash;
  try {
    const { seen, expected } = stage(file).play(subject);
    return { seen: lines(seen, file.dash), expected: lines(expected, file.dash) };
  } finally {
    TestScheduler.frameTimeFactor = factor;
  }
};
