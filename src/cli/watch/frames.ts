import {
  distinctUntilChanged,
  filter,
  map,
  merge,
  of,
  scan,
  share,
  switchMap,
  takeUntil,
  timer,
  type Observable,
  type SchedulerLike,
} from 'rxjs';

import type { DiskEvent } from '../../client/follow-disk.ts';
import type { MeaningOf } from './metric-semantics.ts';
import { nextModel, NOTHING, periodOf, type Model } from './model.ts';
import { SILENT_PERIODS, stateOf } from './status-line.ts';
import { frame, pageOf, type Line, type Size } from './table.ts';
import type { Names } from '../../client/follow-disk.ts';
import { FIRST_VIEW, press, type View } from './view.ts';

const NO_NAMES: Names = new Map();

/** The followed source, and how to read its metrics. */
export interface Watched {
  /** Path of the disk or of the socket. */
  readonly path: string;
  readonly disk$: Observable<DiskEvent>;
  readonly meaningOf: MeaningOf;
  /** Expected milliseconds between two documents; absent if unknown. */
  readonly usual?: number;
  readonly scheduler: SchedulerLike;
}

/** State of the followed source. */
export interface Followed {
  readonly model: Model;
  readonly names: Names;
  /** Last known write time. */
  readonly alive?: number;
  readonly trouble?: string;
  /** Milliseconds without an update, set once over the limit. */
  readonly silence?: number;
}

/** Folds the events of a disk into its state, and updates `silence` every second. */
export const followed$ = ({ disk$, meaningOf, usual, scheduler }: Watched): Observable<Followed> =>
  disk$.pipe(
    scan(
      ({ model, names, alive }: Followed, event): Followed => {
        if (event.kind === 'trouble')
          return { model, names, trouble: event.message, ...(alive === undefined ? {} : { alive }) };
        if (event.kind === 'alive') return { model, names, alive: event.at };
        const next = nextModel(model, event.metrics, event, meaningOf);
        return { model: next, names: event.names ?? names, alive: event.at };
      },
      { model: NOTHING, names: NO_NAMES },
    ),
    switchMap((followed) => {
      const { model, alive, trouble } = followed;
      if (alive === undefined || trouble !== undefined) return of(followed);
      const silent = Math.max(0, alive + SILENT_PERIODS * periodOf(model, usual) - scheduler.now());
      const silence$ = timer(silent, 1000, scheduler).pipe(
        map((): Followed => ({ ...followed, silence: scheduler.now() - alive })),
      );
      return merge(of(followed), silence$);
    }),
  );

/** Lines of a screen of that size. */
export interface Frame {
  readonly size: Size;
  readonly lines: readonly Line[];
}

/** Input and abilities of a terminal. */
export interface Terminal {
  /** Names of pressed keys: letters, `up`, `pagedown`. */
  readonly key$: Observable<string>;
  /** The current size, and each change. */
  readonly size$: Observable<Size>;
  readonly unicode: boolean;
  readonly sort?: View['sort'];
}

interface Situation {
  readonly followed: Followed;
  readonly view: View;
  readonly size?: Size;
}

const QUIT = 'q';

/** Emits distinct frames; completes with the key q. */
export const frame$ = (watched: Watched, { key$, size$, unicode, sort = 'cpu' }: Terminal): Observable<Frame> => {
  type Change = (situation: Situation) => Situation;
  const { path } = watched;
  const pressed$ = key$.pipe(share());
  const change$ = merge(
    size$.pipe(
      map((size): Change => (situation) => ({ ...situation, size })),
    ),
    followed$(watched).pipe(
      map((followed): Change => (situation) => ({ ...situation, followed })),
    ),
    pressed$.pipe(
      map((key): Change => (situation) => {
        const { view, size, followed } = situation;
        const page = size === undefined ? 0 : pageOf(size);
        const pressed = press(view, key, followed.model.rows.size, page);
        return pressed === view ? situation : { ...situation, view: pressed };
      }),
    ),
  );
  const nothing: Followed = { model: NOTHING, names: NO_NAMES };
  const start: Situation = { followed: nothing, view: { ...FIRST_VIEW, sort } };
  return change$.pipe(
    scan((situation, change) => change(situation), start),
    distinctUntilChanged(),
    filter((situation): situation is Situation & { readonly size: Size } => situation.size !== undefined),
    map(({ followed, view, size }): Frame => {
      const { model, names } = followed;
      const state = stateOf(path, model, followed);
      return { size, lines: frame(model, view, state, size, { unicode, names }) };
    }),
    takeUntil(pressed$.pipe(filter((key) => key === QUIT))),
  );
};
