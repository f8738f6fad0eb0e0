import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

import { PROGRAM_URL } from './program.ts';

const mapOf = (url: string): SourceMap | undefined => {
  try {
    return new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')) as SourceMapPayload);
  } catch {
    // An upgrade may have taken the file away.
    return undefined;
  }
};

/**
 * The stack of an error with the places in src instead of those in the built program. Reads the source maps now,
 * because Node's own support for them slows every start.
 */
export const sourceStack = (stack: string, program = PROGRAM_URL): string =>
  stack.replaceAll(/(file:\/\/\S+?\.js):(\d+):(\d+)/g, (frame, url: string, line: string, column: string) => {
    if (!url.startsWith(program)) return frame;
    const entry = mapOf(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return frame;
    const source = entry.originalSource.replace(/^(?:\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
