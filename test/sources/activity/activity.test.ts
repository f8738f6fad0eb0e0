import { describe, expect, it } from 'vitest';

import {
  type ActivityEvent,
  jobTimeAt,
  nextActivity,
  NO_ACTIVITY,
  pausedTimeAt,
} from '../../../src/sources/activity/activity.ts';

const after = (...events: readonly (readonly [at: number, event: ActivityEvent])[]) =>
  events.reduce((activity, [at, event]) => nextActivity(activity, event, at), NO_ACTIVITY);
const asked = (more: Partial<Extract<ActivityEvent, { kind: 'asked' }>> = {}): ActivityEvent => ({
  kind: 'asked',
  job: undefined,
  paused: undefined,
  ...more,
});

describe('The activity of a domain', () => {
  it('is nothing at first', () => {
    expect(after([0, asked()])).toEqual(NO_ACTIVITY);
  });

  it('is a job from its first sign to its end', () => {
    const running = after(
      [1000, { kind: 'job', job: 'migration' }],
      [3000, asked({ job: { job: 'migration', progress: 40 } })],
    );
    expect(running).toMatchObject({ job: 'migration', progress: 40, jobsEnded: 0 });
    expect(jobTimeAt(running, 4000)).toBe(3000);
    const next = nextActivity(running, { kind: 'job', job: 'migration' }, 4000);
    expect(next.progress).toBe(40);
    const ended = nextActivity(next, { kind: 'jobEnded' }, 5000);
    expect(ended).toMatchObject({ job: undefined, progress: undefined, jobsEnded: 1 });
    expect(jobTimeAt(ended, 9000)).toBe(4000);
  });

  it('ends a job that an answer does not have any more, and counts it once', () => {
    const ended = after([0, { kind: 'job', job: 'backup' }], [2000, asked()], [2001, asked()]);
    expect(ended).toMatchObject({ job: undefined, jobsEnded: 1, jobTime: 2000 });
  });

  it('counts a job that was over before it was seen', () => {
    expect(after([0, { kind: 'jobEnded' }])).toMatchObject({ job: undefined, jobsEnded: 1, jobTime: 0 });
  });

  it('forgets the progress of another job', () => {
    const state = after([0, asked({ job: { job: 'save', progress: 90 } })], [1, asked({ job: { job: 'backup' } })]);
    expect(state).toMatchObject({ job: 'backup', progress: undefined });
  });

  it('adds up the jobs of a run', () => {
    const job: ActivityEvent = { kind: 'job', job: 'dump' };
    const end: ActivityEvent = { kind: 'jobEnded' };
    expect(jobTimeAt(after([0, job], [10, end], [100, job], [105, end], [200, job]), 207)).toBe(22);
  });

  it('is paused from an event or an answer on, until it resumes', () => {
    const paused = after([1000, { kind: 'paused', reason: 'user' }], [1500, asked({ paused: 'ioerror' })]);
    expect(paused.pauseReason).toBe('ioerror');
    expect(pausedTimeAt(paused, 3000)).toBe(2000);
    const resumed = nextActivity(paused, { kind: 'resumed' }, 4000);
    expect(pausedTimeAt(resumed, 9000)).toBe(3000);
    expect(resumed.pauseReason).toBe('ioerror');
    expect(pausedTimeAt(nextActivity(paused, asked(), 4000), 9000)).toBe(3000);
    expect(nextActivity(resumed, { kind: 'resumed' }, 9000)).toEqual(resumed);
  });

  it('counts I/O errors, and takes nothing from events that only ask for a question', () => {
    expect(after([0, { kind: 'ioError' }], [1, { kind: 'ioError' }])).toMatchObject({ ioErrors: 2 });
    expect(after([0, { kind: 'tuned' }], [1, { kind: 'blockJob', ended: true }])).toEqual(NO_ACTIVITY);
  });
});
