import {
  audit,
  connect,
  distinctUntilChanged,
  filter,
  map,
  merge,
  mergeMap,
  scan,
  skipWhile,
  take,
  takeUntil,
  takeWhile,
  timer,
  type Observable,
} from 'rxjs';

import { periodOf } from './model.ts';
import { SILENT_PERIODS, stateOf } from './status-line.ts';
import { block } from './table.ts';
import { type Sort, sortNote, USUAL_SORT } from './view.ts';
import { followed$, type Followed, type Watched } from './frames.ts';

/** Output of the command: the table of one document, or a line about a problem. */
export type Printed =
  | { readonly kind: 'block'; readonly text: string; readonly vms: number }
  | { readonly kind: 'trouble'; readonly message: string };

export interface PlainOptions {
  readonly unicode: boolean;
  readonly sort: Sort;
  /** Number of tables; absent for no end. */
  readonly count?: number;
}

const failIfNone = (followed: Followed): Followed => {
  if (followed.trouble !== undefined && followed.model.stamp === undefined) throw new Error(followed.trouble);
  return followed;
};

const kindOf = ({ trouble, silence }: Followed): string => trouble ?? (silence === undefined ? '' : 'silence');

const trouble$ = (followed$: Observable<Followed>, path: string): Observable<Printed> =>
  followed$.pipe(
    distinctUntilChanged((one, other) => kindOf(one) === kindOf(other)),
    map((followed) => stateOf(path, followed.model, followed)),
    filter(({ bad }) => bad),
    map(({ text }): Printed => ({ kind: 'trouble', message: text })),
  );

const block$ = (
  followed$: Observable<Followed>,
  { usual, scheduler }: Watched,
  { sort, unicode }: PlainOptions,
): Observable<Printed> => {
  const known$ = followed$.pipe(filter(({ model }) => model.stamp !== undefined));
  const rated$ = known$.pipe(
    distinctUntilChanged((one, other) => one.model === other.model),
    skipWhile(({ model }) => model.collections < 2),
  );
  const silent$ = known$.pipe(filter(({ silence }) => silence !== undefined));
  // A disk that is gone gets no `silence`, so a timer is needed.
  const late$ = known$.pipe(audit(({ model }) => timer((SILENT_PERIODS + 1) * periodOf(model, usual), scheduler)));
  const unrated$ = merge(silent$, late$).pipe(take(1), takeUntil(rated$));
  return merge(rated$, unrated$).pipe(
    mergeMap(({ model, names }, index): readonly Printed[] => {
      // Only an order that was requested explicitly deserves a note.
      const note = index === 0 && sort !== USUAL_SORT ? sortNote(model, sort) : undefined;
      const text = block(model, { sort, reverse: false }, { unicode, names });
      return [
        ...(note === undefined ? [] : [{ kind: 'trouble' as const, message: `Sort: ${note}` }]),
        { kind: 'block', text, vms: model.rows.size },
      ];
    }),
  );
};

/**
 * Emits the table as text for each document. The first one comes with the second document, because shares of CPU need
 * two, or without them if there is none for three periods. Errors if the source cannot be read at the start.
 */
export const printed$ = (watched: Watched, options: PlainOptions): Observable<Printed> => {
  const { count = Number.POSITIVE_INFINITY } = options;
  return followed$(watched).pipe(
    map(failIfNone),
    connect((all$) => merge(trouble$(all$, watched.path), block$(all$, watched, options))),
    scan(({ blocks }, printed) => ({ blocks: blocks + (printed.kind === 'block' ? 1 : 0), printed }), {
      blocks: 0,
      printed: undefined as Printed | undefined,
    }),
    takeWhile(({ blocks }) => blocks < count, true),
    map(({ printed }) => printed),
    filter((printed) => printed !== undefined),
  );
};
