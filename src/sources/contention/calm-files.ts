import type { Content } from './place.ts';
import type { Reader } from './readers.ts';

/**
 * Files that change only after a stall of memory: reclaim, and the wait for a page that comes back, count as one. The
 * kernel adds memory.stat up anew for each read, which takes longer than all other files together.
 */
export const CALM_FILES: ReadonlySet<string> = new Set<Reader['from']>(['memory.stat', 'memory.events']);

// The text of memory.pressure from its total on, without averages, which fall by themselves.
const stallsIn = (content: Content): string | undefined => {
  if (!Array.isArray(content)) return undefined;
  const [text = ''] = content as readonly string[];
  const at = text.indexOf('total=');
  return at < 0 ? undefined : text.slice(at, text.indexOf('\n', at));
};

interface Calm<Source> {
  readonly pressure: Content;
  readonly stalls: string;
  readonly contents: Map<Source, Content>;
}

/** Keeps the contents of these files while memory.pressure shows no new stall. */
export const calmFiles = <Source>(readPlace: (source: Source) => Content) => {
  let calm: Calm<Source> | undefined;
  return {
    /** `pressure`: what memory.pressure has now. */
    read: (source: Source, pressure: Content): Content => {
      if (calm?.pressure !== pressure) {
        const stalls = stallsIn(pressure);
        // Without pressure in the kernel nothing shows that they are the same.
        if (stalls === undefined) return readPlace(source);
        calm = { pressure, stalls, contents: calm?.stalls === stalls ? calm.contents : new Map() };
      }
      const kept = calm?.contents.get(source);
      if (kept !== undefined) return kept;
      const content = readPlace(source);
      calm?.contents.set(source, content);
      return content;
    },
    forget: (): void => {
      calm = undefined;
    },
  };
};
