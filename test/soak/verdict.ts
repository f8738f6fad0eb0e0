import type { Soaked } from './soak.ts';
import type { Quiet, Subject } from './subject.ts';

/** Number of ticks of a day at the default period of 5 s. */
export const DAY = 17_280;

/** Returns the slope of the least squares line through points. */
export const slope = (points: readonly (readonly [x: number, y: number])[]): number => {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
};

/**
 * Returns the measurements of the second half: until then V8 compiles code; of a whole day some even in the last hours.
 */
export const warm = (samples: readonly Quiet[]): readonly Quiet[] => {
  const from = (samples.at(-1)?.ticks ?? 0) / 2;
  return samples.filter(({ ticks }) => ticks >= from);
};

/** Returns the standard error of the slope of the least squares line. */
export const slopeError = (points: readonly (readonly [x: number, y: number])[]): number => {
  const by = slope(points);
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const rest = points.reduce((sum, point) => sum + (point[1] - y - by * (point[0] - x)) ** 2, 0);
  return Math.sqrt(rest / (points.length - 2) / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0));
};

/**
 * Returns the growth of a daemon after its warm-up, in MiB a day of 17,280 ticks, by the measurements at quiet times:
 * between them RSS is mostly garbage.
 */
export const growth = ({ quiets }: Pick<Subject, 'quiets'>) => {
  const points = (value: (quiet: Quiet) => number) => warm(quiets).map((quiet) => [quiet.ticks, value(quiet)] as const);
  const rss = points((quiet) => quiet.rss);
  return { rss: DAY * slope(rss), rssError: DAY * slopeError(rss), heap: DAY * slope(points(({ heap }) => heap)) };
};

/** Limits of the growth, in MiB a day. */
export interface Limits {
  readonly heap: number;
  /** Without a limit RSS is only printed: over minutes it depends more on the allocator than on the daemon. */
  readonly rss?: number;
}

const more = (name: keyof Pick<Quiet, 'descriptors' | 'threads'>, quiets: readonly Quiet[]): readonly string[] => {
  const [first, ...later] = warm(quiets);
  const last = later.at(-1);
  if (first === undefined || last === undefined) return ['it was not measured'];
  const least = Math.min(...later.slice(-3).map((quiet) => quiet[name]));
  if (least <= first[name]) return [];
  return [`${name} grew from ${first[name]} to ${last[name]}; then: ${first.kinds}; now: ${last.kinds}`];
};

/** Returns the leaks of a daemon; an empty list if there are none. */
export const leaks = (subject: Pick<Subject, 'quiets'>, limits: Limits): readonly string[] => {
  const { heap, rss, rssError } = growth(subject);
  const grew = (what: string, by: number, limit = Infinity): readonly string[] =>
    by < limit ? [] : [`${what} grows by ${by.toFixed(2)} MiB a day, more than ${limit}`];
  const children = subject.quiets.filter((quiet) => quiet.children > 0).length;
  return [
    ...grew('heap', heap, limits.heap),
    // Only growth that exceeds the limit by two standard errors is certain.
    ...(rss - 2 * rssError < (limits.rss ?? Infinity)
      ? []
      : [`RSS grows by ${rss.toFixed(2)} ± ${rssError.toFixed(2)} MiB a day, more than ${limits.rss}`]),
    ...more('descriptors', subject.quiets),
    ...more('threads', subject.quiets),
    ...(children === 0 ? [] : [`${children} times a process was left when nothing was under way`]),
  ];
};

const MOST = 5;

/** Returns all faults of a run, except for the leaks of the daemon that leaks on purpose. */
export const verdict = ({ subjects, domains, codes, left }: Soaked, limits: Limits): readonly string[] => [
  ...subjects.flatMap((subject) => {
    const { name, daemon, checker, scrapes } = subject;
    const wrong = [
      ...(name === 'leaky' ? [] : leaks(subject, limits)),
      ...[...new Set([...daemon.failures(), ...checker.faults()])].slice(0, MOST),
      ...(checker.reads() > 0 ? [] : ['no disk was read']),
      ...(scrapes() > 0 ? [] : ['the page for Prometheus was never read']),
    ];
    return wrong.map((line) => `${name}: ${line}`);
  }),
  ...domains.flatMap(({ guests }) =>
    guests.flatMap((guest) => {
      const wrong = guest.wrong();
      if (wrong !== undefined) return [`a guest that ${guest.kind} was told: ${wrong}`];
      // A guest that never reads receives no answer.
      return guest.answers() > 0 || guest.kind === 'never-reads' ? [] : [`a guest that ${guest.kind} has no answer`];
    }),
  ),
  ...codes.filter((code) => code !== 0).map((code) => `a daemon ended with ${code}`),
  ...(left === 0 ? [] : [`${left} processes of actions outlived their daemon`]),
];
