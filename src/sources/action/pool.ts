import { Observable } from 'rxjs';

/** Returns a place to the pool; further calls do nothing. */
export type Release = () => void;

/**
 * Pool of places for processes, at most `size` (2 if it is 1). A request waits in turn and emits one release function,
 * which the receiver must call in the end. Unsubscribing leaves the queue. Late requests get at most a quarter of the
 * places, so that hanging actions never delay the prompt ones.
 */
export const pool = (size: number): ((late: boolean) => Observable<Release>) => {
  const lateSize = Math.max(1, Math.floor(size / 4));
  const total = Math.max(size, lateSize + 1);
  const waiting = { late: new Set<() => void>(), prompt: new Set<() => void>() };
  const running = { late: new Set<Release>(), prompt: new Set<Release>() };

  const startWaiting = (): void => {
    while (running.late.size + running.prompt.size < total) {
      const queue = running.late.size < lateSize && waiting.late.size > 0 ? waiting.late : waiting.prompt;
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
        const release = (): void => {
          if (running[kind].delete(release)) startWaiting();
        };
        running[kind].add(release);
        subscriber.next(release);
        subscriber.complete();
      };
      waiting[kind].add(start);
      startWaiting();
      return () => waiting[kind].delete(start);
    });
};
