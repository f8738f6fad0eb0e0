/** Lines of the log, by what they are about and the minute that they are of. */
export interface LogLines {
  readonly lines: number;
  /** More than one line about the same metric, sink or libvirt in one minute: what, the minute, and how many. */
  readonly tooMany: readonly string[];
}

const LINE = /^(\S+Z) (\w+) +([^:]+): (.*)$/;

/** Debug lines are those of `-v`, one for each update. */
export const logLines = (log: string): LogLines => {
  const counts = new Map<string, number>();
  let lines = 0;
  for (const text of log.split('\n')) {
    const [, time = '', level = 'debug', component = '', message = ''] = LINE.exec(text) ?? [];
    if (level === 'debug') continue;
    lines += 1;
    // What begins and what ends are one.
    const about = component === 'metrics' ? (/^"[^"]*"/.exec(message)?.[0] ?? message) : message;
    const key = `${time.slice(0, 16)} ${component} ${about}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return { lines, tooMany: [...counts].filter(([, count]) => count > 1).map(([key, count]) => `${key}: ${count}`) };
};
