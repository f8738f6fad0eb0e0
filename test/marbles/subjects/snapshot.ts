import { forkJoin, map, merge, type Observable, of } from 'rxjs';

import type { Domain, MetricDefinition, Outcome, Reading, Sample, Snapshot } from '../../../src/model/metric.ts';
import { tick$ } from '../../../src/sources/tick.ts';
import { patienceOf, snapshot$ } from '../../../src/streams/snapshot.ts';
import type { Stage } from '../../../src/testing/marbles/stage.ts';
import { domainEventOf, showKnown } from './domains.ts';

const PLACE = { file: 'marbles', line: 1, column: 1 };

// A metric is an `action`, a `stat`, `libvirt` (a statistic from libvirt), or a `counter`: an action whose value is the
// number of its run, at once. `every 3` gives its period in ticks.
const metricsOf = (on: Stage, period: number) => {
  const counters = new Set<string>();
  const fromLibvirt = new Set<MetricDefinition>();
  const metrics = on.parameters(/^(host|vm) (\w+)$/).map(([[, context, name = ''], text], index): MetricDefinition => {
    const [, kind = '', every = '1'] = /^(action|stat|libvirt|counter)(?: every (\d+))?$/.exec(text) ?? [];
    if (kind === '') throw new Error(`expected action, stat, libvirt or counter, found: ${text}`);
    if (kind === 'counter') counters.add(name);
    const metric: MetricDefinition = {
      index,
      name,
      type: 'uint32',
      context: context === 'host' ? 'host' : 'vm',
      source: kind === 'stat' || kind === 'libvirt' ? { kind: 'stat', stat: name } : { kind: 'action', command: name },
      variables: [],
      every: Number(every),
      timeout: period,
      place: PLACE,
    };
    if (kind === 'libvirt') fromLibvirt.add(metric);
    return metric;
  });
  return { metrics, counters, fromLibvirt };
};

const targetOf = ({ name }: MetricDefinition, domain?: Domain): string =>
  domain === undefined ? name : `${domain.uuid}.${name}`;

const outcomeOf =
  ({ name }: MetricDefinition) =>
  (text: string): Outcome =>
    text === 'failed'
      ? { ok: false, stage: 'run', reason: text }
      : { ok: true, samples: [{ name, type: 'uint32', value: text }] };

const show = ({ host, domainMetrics, missing, late = [], domains }: Snapshot, known: boolean): string => {
  const values = (samples: readonly Sample[], of: string) => samples.map(({ name, value }) => `${of}${name}=${value}`);
  const all = [
    ...values(host, ''),
    ...domainMetrics.flatMap(({ domain, samples }) => values(samples, `${domain.uuid}.`)),
    ...missing.map(({ metric, domain }) => `!${targetOf(metric, domain)}`),
    ...late.map(({ metric, domain }) => `~${targetOf(metric, domain)}`),
    ...(known ? ['|', showKnown(domains)] : []),
  ];
  return all.length === 0 ? 'nothing' : all.join(' ');
};

/**
 * `> snapshot`: the whole pipeline, from `domains` to `snapshot`, with the real ticks (shown as `tick`). Metrics are
 * parameters (`host load = action`, `vm cpu = stat`); their runs are streams (`runs of load`, `runs of a.cpu`), and so
 * is what libvirt reports by itself (`news of a.cpu`). The first snapshot waits `start` ms at most. With `domains = shown` a snapshot ends with its known domains: `load=1 | a*
 * (b)`.
 */
export const snapshotSubject = (on: Stage): Observable<unknown> => {
  const period = Number(on.parameter('period'));
  const { metrics, counters, fromLibvirt } = metricsOf(on, period);
  const counted = new Map<string, number>();
  const run$ = (metric: MetricDefinition, domain?: Domain): Observable<Outcome> =>
    on.run$(`runs of ${targetOf(metric, domain)}`, outcomeOf(metric));
  // Draws a stream without runs, too.
  for (const [title, name] of on.titles(/^runs of (?:[a-z]\.)?(\w+)$/)) {
    const metric = metrics.find((candidate) => candidate.name === name);
    if (metric !== undefined) on.run$(title, outcomeOf(metric));
  }
  const reading$ = (metric: MetricDefinition, domain?: Domain): Observable<Reading> =>
    run$(metric, domain).pipe(map((outcome) => ({ metric, ...(domain === undefined ? {} : { domain }), outcome })));
  // What libvirt reports of a value by itself.
  const news = on.titles(/^news of ([a-z])\.(\w+)$/).map(([title, uuid, name]) => {
    const event = domainEventOf(`start ${uuid}`);
    if (event.kind !== 'running') throw new Error(`no domain: ${uuid}`);
    const { domain } = event;
    const metric = metrics.find((candidate) => candidate.name === name);
    const reading$ = on
      .input$(title, (text) => text)
      .pipe(
        map((text): readonly Reading[] =>
          metric === undefined ? [] : [{ metric, domain, outcome: outcomeOf(metric)(text) }],
        ),
      );
    return { name, reading$ };
  });
  const sources = {
    tick$: on.watch$('tick', tick$(period, on.scheduler), String),
    domain$: on.input$('domains', domainEventOf),
    isFromLibvirt: (metric: MetricDefinition) => fromLibvirt.has(metric),
    hostStats$: (due: readonly MetricDefinition[]) => forkJoin(due.map((metric) => reading$(metric))),
    domainCollectors: metrics
      .filter(({ context, source }) => context === 'vm' && source.kind === 'stat')
      .map((metric) => ({
        metrics: [metric],
        news$: merge(...news.filter(({ name }) => name === metric.name).map(({ reading$: news$ }) => news$)),
        collect$: (domains: readonly Domain[]) =>
          merge(...domains.map((domain) => reading$(metric, domain).pipe(map((reading) => [reading])))),
      })),
    action$: ({ metric, domain }: { readonly metric: MetricDefinition; readonly domain?: Domain }) => {
      if (!counters.has(metric.name)) return run$(metric, domain);
      const target = targetOf(metric, domain);
      counted.set(target, (counted.get(target) ?? 0) + 1);
      return of(outcomeOf(metric)(String(counted.get(target))));
    },
  };
  const known = on.parameter('domains') === 'shown';
  const usual = patienceOf(period);
  const patience = { ...usual, start: Number(on.parameter('start') ?? usual.start) };
  return on.watch$('snapshot', snapshot$(sources, metrics, period, on.scheduler, patience), (snapshot) =>
    show(snapshot, known),
  );
};
