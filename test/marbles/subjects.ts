import type { Subjects } from '../../src/testing/marbles/play.ts';
import { exhaustMapLatestSubject, sinksSubject } from './subjects/delivery.ts';
import { inventorySubject } from './subjects/inventory.ts';
import { mergeByKeySubject } from './subjects/merge-by-key.ts';
import { retryWithBackoffSubject } from './subjects/retry-with-backoff.ts';
import { snapshotSubject } from './subjects/snapshot.ts';
import { switchMapWhenReadySubject } from './subjects/switch-when-ready.ts';
import { tickSubject } from './subjects/tick.ts';

/** The names that may follow `>` in a marble file. */
export const subjects: Subjects = {
  inventory: inventorySubject,
  exhaustMapLatest: exhaustMapLatestSubject,
  mergeByKey: mergeByKeySubject,
  retryWithBackoff: retryWithBackoffSubject,
  sinks: sinksSubject,
  snapshot: snapshotSubject,
  switchMapWhenReady: switchMapWhenReadySubject,
  tick: tickSubject,
};
