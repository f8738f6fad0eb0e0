import { map, skipWhile } from 'rxjs';
import type { OperatorFunction, SchedulerLike } from 'rxjs';

import { counted } from '../../model/duration.ts';
import { paced } from '../../rx/paced.ts';
import type { SinkReport } from '../sink.ts';
import { OUT_OF_DESCRIPTORS } from './socket-path.ts';

/**
 * Converts the number of channels without a descriptor to warnings about the start and the end of the shortage, one for
 * all channels. At most one per minute while it comes and goes.
 */
export const shortageWarnings =
  (scheduler: SchedulerLike): OperatorFunction<number, SinkReport> =>
  (count$) =>
    count$.pipe(
      skipWhile((count) => count === 0),
      map((count) => ({ kind: count === 0 ? 'over' : 'short', detail: '', count })),
      paced(scheduler),
      map(({ change: { count } }): SinkReport => ({
        kind: 'warning',
        message:
          count === 0
            ? 'There are descriptors for all channels again'
            : `${counted(count, 'channel')} ${OUT_OF_DESCRIPTORS} (EMFILE)`,
      })),
    );
