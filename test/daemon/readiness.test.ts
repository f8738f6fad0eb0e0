import { from } from 'rxjs';
import { describe, expect, it } from 'vitest';

import type { DaemonEvent, Setup } from '../../src/daemon/events.ts';
import { type Started, started } from '../../src/daemon/readiness.ts';
import type { ConfiguredSink } from '../../src/sinks/index.ts';
import type { SinkReport } from '../../src/sinks/sink.ts';
import { snapshot } from '../../src/testing/snapshots.ts';

const sink = (key: string, required: boolean): ConfiguredSink => ({ key, name: key, required, run: () => from([]) });
const [DISK, CHANNEL, LOG] = [sink('disk', true), sink('channel', true), sink('log', false)];
const SETUP: Setup = { config: {} as Setup['config'], sinks: [DISK, CHANNEL, LOG] };

const WRITTEN: SinkReport = { kind: 'written', snapshot: snapshot(0), message: 'Written' };
const failed = (stage: 'open' | 'write'): SinkReport => ({ kind: 'failed', stage, message: `no ${stage}` });
const report = (of: ConfiguredSink, what: SinkReport): DaemonEvent => ({ kind: 'report', sink: of, report: what });

/** Returns the results of the start after these events. */
const after = (...events: readonly DaemonEvent[]): readonly Started[] => {
  const seen: Started[] = [];
  from(events)
    .pipe(started(SETUP))
    .subscribe((end) => seen.push(end));
  return seen;
};

describe('a start', () => {
  it('is ready when each required sink has written, once', () => {
    const first = [report(DISK, WRITTEN), report(LOG, WRITTEN), report(DISK, WRITTEN)];
    expect(after(...first)).toEqual([]);
    expect(after(...first, report(CHANNEL, WRITTEN), report(DISK, WRITTEN))).toEqual([{ kind: 'ready' }]);
  });

  it('has failed when a required sink cannot open its target', () => {
    expect(after(report(DISK, failed('open')), report(DISK, WRITTEN))).toEqual([{ kind: 'failed', reason: 'no open' }]);
  });

  it('goes on when another sink cannot, or when a write fails', () => {
    const failures = [report(LOG, failed('open')), report(DISK, failed('write'))];
    expect(after(...failures)).toEqual([]);
    expect(after(...failures, report(DISK, WRITTEN), report(CHANNEL, WRITTEN))).toEqual([{ kind: 'ready' }]);
  });

  it('is not ready by a warning, and is by writing even after a warning', () => {
    const warning: SinkReport = { kind: 'warning', message: 'full' };
    expect(after(report(DISK, warning), report(CHANNEL, warning))).toEqual([]);
  });
});
