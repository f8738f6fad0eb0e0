import type { TelemetryView, NamedSink } from '../telemetry/telemetry.ts';
import { type MissingMetric, missingMetrics, type OldValue, oldValues } from '../telemetry/missing-metrics.ts';
import { escapeForLog } from '../../model/value.ts';
import { duration } from '../../model/duration.ts';

/** Facts besides the figures. */
export interface About {
  readonly version: string;
  readonly pid: number;
  readonly file: string;
}

/** A problem, as one line of text. */
export interface HealthIssue {
  readonly kind: 'collection' | 'sink' | 'full' | 'libvirt' | 'metric' | 'ticks' | 'configuration';
  readonly text: string;
}

// A sink or a collection is late after this many periods, and at least this many milliseconds.
const LATE_PERIODS = 3;
const LATE = 3000;
// A skipped tick is reported for this many periods, and at least this many milliseconds.
const RECENT_PERIODS = 10;
const RECENT = 60_000;
const REASON = 200;

const quoted = (text: string): string => `"${escapeForLog(text, 64)}"`;
const cutAt = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 3)}...` : text);
const reason = (text: string): string => cutAt(text, REASON);

const sinkTroubles = (
  { name, failing, waiting, writes, last }: NamedSink,
  now: number,
  late: number,
): readonly HealthIssue[] => {
  const sink = `sink ${quoted(name)}`;
  const full: readonly HealthIssue[] =
    (last?.leftOut ?? 0) > 0
      ? [{ kind: 'full', text: `${sink} is full: ${last?.leftOut} metrics do not fit; raise its <size>` }]
      : [];
  const unreached: readonly HealthIssue[] =
    last?.trouble === undefined ? [] : [{ kind: 'sink', text: `${sink}: ${cutAt(last.trouble, 2 * REASON)}` }];
  if (failing !== undefined) {
    const text = `${sink} fails for ${duration(now - failing.since)}: ${reason(failing.message)}`;
    return [{ kind: 'sink', text }, ...full];
  }
  if (waiting === undefined || now - waiting < late) return [...unreached, ...full];
  const never = writes === 0 ? ', nor ever before' : '';
  return [
    { kind: 'sink', text: `${sink} has not written for ${duration(now - waiting)}${never}` },
    ...unreached,
    ...full,
  ];
};

const whose = ({ context, count, domains }: Omit<MissingMetric, 'reason'>): string => {
  const names = domains.map(quoted).join(', ');
  const more = count > domains.length ? ` and ${count - domains.length} more` : '';
  return context === 'host' ? '' : ` for ${count} ${count === 1 ? 'VM' : 'VMs'} (${names}${more})`;
};

const missingText = (missing: MissingMetric): string =>
  `metric ${quoted(missing.metric)} has no value${whose(missing)}: ${reason(missing.reason)}`;

const oldText = (old: OldValue): string =>
  `metric ${quoted(old.metric)} has a value that is ${duration(old.ageSeconds * 1000)} old${whose(old)}: its source does not answer in time`;

const collectionTroubles = ({ now, newest }: TelemetryView, late: number): readonly HealthIssue[] => {
  if (newest === undefined) return [{ kind: 'collection', text: 'nothing has been collected yet' }];
  const age = now - newest.at;
  return age < late ? [] : [{ kind: 'collection', text: `nothing has been collected for ${duration(age)}` }];
};

/** Returns the current problems, the worst first; empty if all is well. */
export const healthIssuesOf = (view: TelemetryView, { file }: About): readonly HealthIssue[] => {
  const { now, period = 0, newest, sinks, libvirt, skipped, notReloaded } = view;
  const late = Math.max(LATE, LATE_PERIODS * period);
  const recent = Math.max(RECENT, RECENT_PERIODS * period);
  const troubles: HealthIssue[] = [
    ...collectionTroubles(view, late),
    ...sinks.flatMap((sink) => sinkTroubles(sink, now, late)),
  ];
  if (libvirt?.up === false) {
    const text = `libvirt is away for ${duration(now - libvirt.since)}: ${reason(libvirt.reason)}`;
    troubles.push({ kind: 'libvirt', text });
  }
  for (const missing of missingMetrics(newest?.snapshot.missing ?? [])) {
    troubles.push({ kind: 'metric', text: missingText(missing) });
  }
  for (const old of newest === undefined ? [] : oldValues(newest.snapshot, period)) {
    troubles.push({ kind: 'metric', text: oldText(old) });
  }
  if (skipped.lastAt !== undefined && now - skipped.lastAt < recent) {
    const ticks = `${skipped.count} ${skipped.count === 1 ? 'tick was' : 'ticks were'} skipped`;
    const text = `${ticks}, the last ${duration(now - skipped.lastAt)} ago: the process was stopped or got no processor`;
    troubles.push({ kind: 'ticks', text });
  }
  if (notReloaded !== undefined) {
    const text = `${file} was not reloaded ${duration(now - notReloaded.at)} ago, the former configuration is in force: ${reason(notReloaded.message)}`;
    troubles.push({ kind: 'configuration', text });
  }
  return troubles;
};
