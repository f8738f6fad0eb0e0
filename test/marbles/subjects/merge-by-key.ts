import type { Observable } from 'rxjs';

import { mergeByKey } from '../../../src/rx/merge-by-key.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

/**
 * `> mergeByKey`: while the newest of `lists` has a key, its `runs of KEY` continues, and its values are on `merged`.
 */
export const mergeByKeySubject = (on: Stage): Observable<unknown> => {
  const list$ = on.input$('lists', (text) => text.split(' ').filter((key) => key !== 'none'));
  const merged$ = list$.pipe(
    mergeByKey(
      (key) => key,
      (key) => on.run$(`runs of ${key}`, String),
    ),
  );
  return on.watch$('merged', merged$, String);
};
