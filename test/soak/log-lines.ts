/** Lines of the log, counted by subject and minute. */
export interface LogLines {
  readonly lines: number;
  /**
   * More than one line about the same metric, sink or libvirt in one minute: the subject, the minute, and the number.
   */
  readonly tooMany: readonly string[];
}

const LINE = /^(\S+Z) (\w+) +([^:]+): (.*)$/;

/** Skips debug lines: `-v` logs one for each update. */
export const logLines = (log: string): LogLines => {
  const counts = new Map<string, number>();
  let lines = 0;
  for (const text of log.split('\n')) {
    const [, time = '', level = 'debug', component = '', message = ''] = LINE.exec(text) ?? [];
    if (level === 'debug') continue;
    lines += 1;
    // The lines of a failure and of its end count together.
    const about = component === 'metrics' ? (/^"[^"]*"/.exec(message)?.[0] ?? message) : message;
    const key = `${time.slice(0, 16)} ${component} ${about}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return { lines, tooMany: [...counts].filter(([, count]) => count > 1).map(([key, count]) => `${key}: ${count}`) };
};
