import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { playMarbles } from '../src/testing/marbles/play.ts';
import { subjects } from './marbles/subjects.ts';

const root = join(import.meta.dirname, '..', 'marbles');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.txt'))
  .sort();

describe('marbles', () => {
  it('are found', () => expect(files.length).toBeGreaterThan(0));

  it.each(files)('%s', (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    const { sentence, seen, expected } = playMarbles(text, subjects);
    expect(seen, sentence).toEqual(expected);
  });
});
