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

/** What is followed, and how it is read. */
export interface Watched {
  /** Of the disk, or of the socket. */
  readonly path: string;
  readonly disk$: Observable<DiskEvent>;
  readonly meaningOf: MeaningOf;
  /** Milliseconds between two documents, as far as that is known beforehand. */
  readonly usual?: number;
  readonly scheduler: SchedulerLike;
}

/** What the disk has come to. */
export interface Followed {
  readonly model: Model;
  readonly names: Names;
  /** When it was last seen to be written. */
  readonly alive?: number;
  readonly trouble?: string;
  /** For how many milliseconds it has not changed, if that is for too long. */
  readonly silence?: number;
}

/** The disk's events as what is known by them, and every second how long it has been silent. */
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

/** What is drawn, for a screen of that size. */
export interface Frame {
  readonly size: Size;
  readonly lines: readonly Line[];
}

/** What somebody in front of a terminal does, and how that draws. */
export interface Terminal {
  /** Names of keys: letters, `up`, `pagedown`. */
  readonly key$: Observable<string>;
  /** The size now, and each other one. */
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

/** Frames, each different from the one before; completes with the key q. */
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
