import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

import type { Family } from '../../model/metric-family.ts';
import type { Snapshot } from '../../model/metric.ts';
import type { Variant } from './content-negotiation.ts';
import { snapshotFamilies } from './snapshot-families.ts';
import { steadiedCounters } from './steady-counters.ts';
import { END, familiesText, type Format } from './exposition.ts';

const compressed = promisify(gzip);
// Milliseconds for which scrapes share a page with the daemon's own figures, which change all the time.
const PAGE_LIFETIME_MS = 1000;

const NONE = { families: [], leftOut: 0 };

// Rendered at the scrape, so metrics that cannot be shown are a figure, not a failed write.
const unshown = (value: number): Family => ({
  name: 'vhostmd_prometheus_unshown_values',
  help: 'Values of the snapshot that are not on this page: a second one of the same name, or no number',
  type: 'gauge',
  series: [{ value }],
});

/** Makes the value of each key at most once, on the first call. */
const byKey = <Key, T>(make: (key: Key) => Promise<T>): ((key: Key) => Promise<T>) => {
  const made = new Map<Key, Promise<T>>();
  return (key) => {
    const found = made.get(key) ?? make(key);
    made.set(key, found);
    return found;
  };
};

/** Sources of the page: the newest snapshot, the daemon's own figures and a clock in milliseconds. */
interface Sources {
  readonly newest: () => Snapshot | undefined;
  readonly telemetry: () => readonly Family[];
  readonly now: () => number;
}

/**
 * Renders the page, with the same bytes for all clients: each format of a snapshot at most once, the page with the own
 * figures and its compression at most once per second.
 */
export const answers = ({ newest, telemetry, now }: Sources): ((variant: Variant) => Promise<Buffer>) => {
  const steadied = steadiedCounters();
  const ofSnapshot = (snapshot: Snapshot | undefined) => {
    const { families: shown, leftOut } = snapshot === undefined ? NONE : snapshotFamilies(snapshot, steadied);
    return { snapshot, leftOut, text: byKey(async (format: Format) => await familiesText(shown, format)) };
  };
  const whole = (part: ReturnType<typeof ofSnapshot>) => {
    const own = [unshown(part.leftOut), ...telemetry()];
    const plain = byKey(async (format: Format) => {
      const texts = [await part.text(format), await familiesText(own, format)].filter((text) => text !== '');
      return Buffer.from(texts.join(format === 'text' ? '\n' : '') + END[format]);
    });
    const small = byKey(
      async (format: Format) => await compressed(await plain(format), { level: constants.Z_BEST_SPEED }),
    );
    return { at: now(), part, bytes: ({ format, gzip: isSmall }: Variant) => (isSmall ? small : plain)(format) };
  };
  // The page of the latest scrape, for those that follow within a second. Not a stream, because scrapes pull.
  let page: ReturnType<typeof whole> | undefined;
  return async (variant) => {
    const snapshot = newest();
    const isNewest = page !== undefined && page.part.snapshot === snapshot;
    if (page === undefined || !isNewest || now() - page.at >= PAGE_LIFETIME_MS) {
      page = whole(page !== undefined && isNewest ? page.part : ofSnapshot(snapshot));
    }
    return await page.bytes(variant);
  };
};
