import { defer, type MonoTypeOperatorFunction, tap } from 'rxjs';

import { logChanges, type LoggedChange, type LogOptions } from './log-changes.ts';
import type { SinkReport } from '../sinks/sink.ts';

/** Logs what one sink reports, and that it works again after a failure. */
export const logReports =
  (component: string, { log, scheduler }: LogOptions): MonoTypeOperatorFunction<SinkReport> =>
  (report$) =>
    defer(() => {
      let failingSince: number | undefined;
      let lastIdle = '';
      const logOther = (report: SinkReport): void => {
        if (report.kind === 'warning') return log('warning', component, report.message);
        // A sink that has written nothing is logged when that changes, not at each snapshot.
        const idle = report.kind === 'written' && (report.bytes ?? 0) === 0 ? report.message : '';
        if (report.kind === 'written' && (idle === '' || idle !== lastIdle))
          log('debug', component, `${report.message}, ${(scheduler.now() - report.snapshot.at).toFixed(1)} ms`);
        lastIdle = idle;
      };
      const changeOf = (report: SinkReport): LoggedChange | undefined => {
        if (report.kind === 'warning') return undefined;
        const { message } = report;
        if (report.kind === 'opened')
          return { kind: 'opened', detail: message, level: 'info', component, messages: [message] };
        if (report.kind === 'failed') {
          failingSince ??= scheduler.now();
          return { kind: `failed ${report.stage}`, detail: message, level: 'err', component, messages: [message] };
        }
        if (failingSince === undefined) return undefined;
        const after = `Recovered after ${((scheduler.now() - failingSince) / 1000).toFixed(1)} s`;
        failingSince = undefined;
        return { kind: 'works', detail: '', level: 'notice', component, messages: [after] };
      };
      return report$.pipe(tap(logOther), logChanges(changeOf, { log, scheduler }));
    });
