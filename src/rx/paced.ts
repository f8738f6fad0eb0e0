import {
  connect,
  distinctUntilChanged,
  filter,
  map,
  merge,
  type OperatorFunction,
  scan,
  throttle,
  timer,
  timestamp,
} from 'rxjs';
import type { SchedulerLike } from 'rxjs';

/** Milliseconds between two lines of the log about the same thing. */
export const PAUSE = 60_000;
// Milliseconds without a change after which every kind counts as new again.
const CALM = 10 * PAUSE;

/** A state for the log. `kind` is one of a few, such as `failed`; the same kind with another `detail` is a change. */
export interface Change {
  readonly kind: string;
  readonly detail: string;
}

/** A change to log. `missed`: number of changes since the last logged one that were dropped. */
export interface Paced<T extends Change> {
  readonly change: T;
  readonly missed: number;
}

interface Numbered<T extends Change> extends Paced<T> {
  readonly nth: number;
  readonly at: number;
  /** Kinds seen since the last calm period. */
  readonly kinds: readonly string[];
  readonly isFirst: boolean;
}

const isSame = (one: Change, other: Change): boolean => one.kind === other.kind && one.detail === other.detail;

const follow = <T extends Change>(before: Numbered<T>, now: Numbered<T>): Numbered<T> => {
  const known = now.at - before.at < CALM ? before.kinds : [];
  const isFirst = !known.includes(now.change.kind);
  return { ...now, kinds: isFirst ? [...known, now.change.kind] : known, isFirst };
};

/**
 * Rate-limits changes for the log. The first change of each kind passes at once. Later changes wait until the last one
 * that passed is a minute old; then the newest passes if it differs from that one.
 */
export const paced =
  <T extends Change>(scheduler: SchedulerLike): OperatorFunction<T, Paced<T>> =>
  (change$) =>
    change$.pipe(
      distinctUntilChanged<T>(isSame),
      timestamp(scheduler),
      map(({ value: change, timestamp: at }, nth): Numbered<T> => ({
        change,
        at,
        nth,
        kinds: [change.kind],
        isFirst: true,
        missed: 0,
      })),
      scan(follow<T>),
      connect((numbered$) => {
        const first$ = numbered$.pipe(filter(({ isFirst }) => isFirst));
        return numbered$.pipe(
          throttle(() => merge(timer(PAUSE, scheduler), first$), { leading: true, trailing: true }),
        );
      }),
      distinctUntilChanged((before, now) => isSame(before.change, now.change)),
      scan((before, now) => ({ ...now, missed: now.nth - before.nth - 1 })),
      map(({ change, missed }) => ({ change, missed })),
    );
