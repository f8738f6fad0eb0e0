import type { Subjects } from '../../src/testing/marbles/play.ts';
import { newestWinsSubject, sinksSubject } from './subjects/delivery.ts';
import { inventorySubject } from './subjects/inventory.ts';
import { snapshotSubject } from './subjects/snapshot.ts';
import { switchOverSubject } from './subjects/switch-when-ready.ts';
import { tickSubject } from './subjects/tick.ts';

/** What may stand behind `>` in a marble file. */
export const subjects: Subjects = {
  inventory: inventorySubject,
  newestWins: newestWinsSubject,
  sinks: sinksSubject,
  snapshot: snapshotSubject,
  switchOver: switchOverSubject,
  tick: tickSubject,
};
