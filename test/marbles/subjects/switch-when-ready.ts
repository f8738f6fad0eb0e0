import type { Observable } from 'rxjs';

import { switchOver } from '../../../src/rx/switch-when-ready.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';

/** `> switchOver`: each of `configurations` starts the next of `pipelines`; what they emit comes out on `published`. */
export const switchOverSubject = (on: Stage): Observable<unknown> => {
  const configuration$ = on.input$('configurations', String);
  return on.watch$('published', configuration$.pipe(switchOver(() => on.run$('pipelines', String))), String);
};
