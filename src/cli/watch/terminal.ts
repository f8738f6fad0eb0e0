import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

import { distinctUntilChanged, filter, fromEvent, map, merge, Observable, of } from 'rxjs';

import type { Line, Look, Size } from './table.ts';
import type { Frame } from './frames.ts';

const ESC = '\u001b[';
// Alternate screen, cursor hidden, no line wrap, cleared.
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l${ESC}2J`;
const LEAVE = `${ESC}0m${ESC}?7h${ESC}?25h${ESC}?1049l`;
const LOOKS: Readonly<Record<Look, string>> = {
  plain: '',
  strong: `${ESC}1m`,
  title: `${ESC}7m`,
  alarm: `${ESC}1;7m`,
};

/** Returns the size of a terminal; 80 x 24 if unknown. */
export const sizeOf = ({ columns, rows }: { readonly columns?: number; readonly rows?: number }): Size => ({
  columns: columns === undefined || columns < 1 ? 80 : columns,
  rows: rows === undefined || rows < 1 ? 24 : rows,
});

/** Emits the size of a terminal, now and after each change. */
export const size$ = (output: WriteStream): Observable<Size> =>
  merge(of(undefined), fromEvent(output, 'resize')).pipe(
    map(() => sizeOf(output)),
    distinctUntilChanged((one, other) => one.columns === other.columns && one.rows === other.rows),
  );

interface Keypress {
  readonly name?: string;
  readonly sequence?: string;
  readonly ctrl?: boolean;
}

/** Emits the names of pressed keys: `a`, `up`, `pagedown`, `ctrl-c`. Sets the terminal to raw mode while subscribed. */
export const key$ = (input: ReadStream): Observable<string> =>
  new Observable<Keypress>((subscriber) => {
    const onKey = (_text: string | undefined, key: Keypress): void => subscriber.next(key);
    emitKeypressEvents(input);
    input.on('keypress', onKey);
    input.setRawMode(true);
    input.resume();
    return () => {
      input.off('keypress', onKey);
      input.setRawMode(false);
      input.pause();
    };
  }).pipe(
    map(({ name, sequence = '', ctrl = false }) => (ctrl ? `ctrl-${name ?? ''}` : (name ?? sequence))),
    filter((key) => key !== ''),
  );

/** Returns the output that turns one frame into another: the lines that differ, or all after a change of size. */
export const difference = (before: Frame | undefined, { size, lines }: Frame): string => {
  const same = before !== undefined && before.size.columns === size.columns && before.size.rows === size.rows;
  const differs = ({ text, look }: Line, index: number): boolean => {
    const old = same ? before.lines[index] : undefined;
    return old?.text !== text || old.look !== look;
  };
  const drawn = lines.map((line, index) =>
    differs(line, index) ? `${ESC}${index + 1};1H${LOOKS[line.look]}${line.text}${ESC}0m` : '',
  );
  return (same ? '' : `${ESC}2J`) + drawn.join('');
};

/** The parts of a process that drawing on its terminal needs. */
export interface Owner {
  readonly on: (event: string, listener: () => void) => unknown;
  readonly off: (event: string, listener: () => void) => unknown;
  /** Stops this process until SIGCONT. */
  readonly stop: () => void;
}

/**
 * Draws frames on the alternate screen of a terminal. Restores the terminal on completion, error, unsubscription, the
 * end of the process, and from SIGTSTP to SIGCONT. Emits nothing.
 */
export const drawn$ = (
  frame$: Observable<Frame>,
  output: Pick<WriteStream, 'write'>,
  input: Pick<ReadStream, 'setRawMode'> | undefined,
  owner: Owner,
): Observable<never> =>
  new Observable<never>((subscriber) => {
    let latest: Frame | undefined;
    let entered = false;
    const enter = (): void => {
      entered = true;
      output.write(ENTER + (latest === undefined ? '' : difference(undefined, latest)));
    };
    const leave = (): void => {
      if (entered) output.write(LEAVE);
      entered = false;
    };
    const suspend = (): void => {
      leave();
      input?.setRawMode(false);
      owner.stop();
    };
    const resume = (): void => {
      leave();
      input?.setRawMode(true);
      enter();
    };
    const listeners = [
      ['exit', leave],
      // Restores the screen before the error is printed.
      ['uncaughtExceptionMonitor', leave],
      ['SIGTSTP', suspend],
      ['SIGCONT', resume],
    ] as const;
    for (const [event, listener] of listeners) owner.on(event, listener);
    enter();
    subscriber.add(() => {
      leave();
      for (const [event, listener] of listeners) owner.off(event, listener);
    });
    subscriber.add(
      frame$.subscribe({
        next: (frame) => {
          output.write(difference(latest, frame));
          latest = frame;
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
  });
