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
export const sourceStack = (stack: string, program = PROGRAM_URL): string => {
  // Most frames are in one file, whose map has a megabyte.
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replaceAll(/(file:\/\/\S+?\.js):(\d+):(\d+)/g, (frame, url: string, line: string, column: string) => {
    if (!url.startsWith(program)) return frame;
    if (!maps.has(url)) maps.set(url, mapOf(url));
    const entry = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return frame;
    const source = entry.originalSource.replace(/^(?:\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
};
