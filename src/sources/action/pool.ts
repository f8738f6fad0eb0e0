import { Observable } from 'rxjs';

/** Gives a place back; further calls do nothing. */
export type Release = () => void;

/**
 * Places for processes, at most `size` (2 if it is 1). `place$` waits in turn and emits one release function; the
 * receiver must call it in the end. Unsubscribing while waiting leaves the queue. Requests that were late before get a
 * quarter of the places at most, so that hanging actions never hold up the prompt ones.
 */
export const pool = (size: number): ((late: boolean) => Observable<Release>) => {
  const lateSize = Math.max(1, Math.floor(size / 4));
  const total = Math.max(size, lateSize + 1);
  const waiting = { late: new Set<() => void>(), prompt: new Set<() => void>() };
  const running = { late: 0, prompt: 0 };

  const startWaiting = (): void => {
    while (running.late + running.prompt < total) {
      const queue = running.late < lateSize && waiting.late.size > 0 ? waiting.late : waiting.prompt;
      const [start] = queue;
      if (start === undefined) return;
      queue.delete(start);
      start();
    }
  };

  return (late) =>
    new Observable((subscriber) => {
      const kind = late ? 'late' : 'prompt';
      const start = (): void => {
        running[kind] += 1;
        let held = true;
        subscriber.next(() => {
          if (!held) return;
          held = false;
          running[kind] -= 1;
          startWaiting();
        });
        subscriber.complete();
      };
      waiting[kind].add(start);
      startWaiting();
      return () => waiting[kind].delete(start);
    });
};
