import { describe, expect, it } from 'vitest';

import { NEW_CHANNEL, nextHistory } from '../../../src/sinks/virtio-serial/channel.ts';

const UP = undefined;

/** Returns the messages of a channel after these events; the first wait is 1 ms, the longest 100 ms. */
const messages = (
  ...events: readonly (readonly [at: number, trouble: string | undefined])[]
): readonly (string | undefined)[] => {
  const next = nextHistory({ first: 1, most: 100 });
  return events
    .map(([timestamp, value]) => ({ timestamp, value }))
    .map((_, index, all) => all.slice(0, index + 1).reduce(next, NEW_CHANNEL).state.message);
};

describe('the history of a channel', () => {
  it('has the state of the latest event', () => {
    const next = nextHistory({ first: 1, most: 100 });
    const up = next(NEW_CHANNEL, { timestamp: 0, value: UP });
    expect(up.state).toEqual({ connected: true });
    expect(next(up, { timestamp: 1, value: 'closed' }).state).toEqual({ connected: false });
  });

  it('has each different trouble once', () => {
    expect(messages([0, 'no'], [1, 'no'], [2, 'other'], [3, 'other'], [4, 'no'])).toEqual([
      'no',
      undefined,
      'other',
      undefined,
      'no',
    ]);
  });

  it('has no message for ten first waits after a disconnect, however short the connections in between', () => {
    expect(messages([0, UP], [50, 'closed'], [55, UP], [56, 'closed'], [59, 'closed'], [60, 'closed'])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'closed',
    ]);
  });

  it('starts anew when a connection has lived for the longest wait', () => {
    expect(messages([0, 'no'], [10, UP], [109, 'no'], [110, 'no'])).toEqual(['no', undefined, undefined, undefined]);
    expect(messages([0, 'no'], [10, UP], [110, 'no'], [119, 'no'], [120, 'no'])).toEqual([
      'no',
      undefined,
      undefined,
      undefined,
      'no',
    ]);
  });
});
