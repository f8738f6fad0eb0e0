import type { Observable } from 'rxjs';

import { switchMapWhenReady } from '../../../src/rx/switch-when-ready.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

/** `> switchMapWhenReady`: each of `configurations` starts the next of `pipelines`; their values are on `published`. */
export const switchMapWhenReadySubject = (on: Stage): Observable<unknown> => {
  const configuration$ = on.input$('configurations', String);
  return on.watch$('published', configuration$.pipe(switchMapWhenReady(() => on.run$('pipelines', String))), String);
};
