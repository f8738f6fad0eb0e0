import { map, skipWhile } from 'rxjs';
import type { OperatorFunction, SchedulerLike } from 'rxjs';

import { counted } from '../../model/duration.ts';
import { paced } from '../../rx/paced.ts';
import type { SinkReport } from '../sink.ts';
import { OUT_OF_DESCRIPTORS } from './socket-path.ts';

/**
 * Says of all channels together that the process has no descriptor for them, and that this is over: from how many there
 * are, each time that may have changed. At most once a minute where that comes and goes.
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
