import { describe, expect, it } from 'vitest';

import { blockJobIn, jobIn, pauseOf, suspensionOf } from '../../../src/sources/libvirt/domain-changes.ts';

describe('A job in an answer of libvirt', () => {
  it('is there while it runs, by its operation', () => {
    const fields = new Map<string, bigint | number>([
      ['operation', 5],
      ['data_total', 200n],
      ['data_processed', 50n],
    ]);
    expect(jobIn(2, fields)).toEqual({ job: 'migration', progress: 25 });
    for (const type of [0, 3, 4, 5]) expect(jobIn(type, fields)).toBeUndefined();
  });

  it('of disks counts those', () => {
    const fields = new Map<string, bigint | number>([
      ['operation', 9],
      ['disk_total', 10n],
      ['disk_processed', 9n],
    ]);
    expect(jobIn(2, fields)).toEqual({ job: 'backup', progress: 90 });
  });

  it('has no progress if the size is not known, and never more than all', () => {
    expect(jobIn(1, new Map([['operation', 2]]))).toEqual({ job: 'save' });
    expect(
      jobIn(
        1,
        new Map([
          ['operation', 99],
          ['data_total', 1],
          ['data_processed', 7],
        ]),
      ),
    ).toEqual({
      job: 'other',
      progress: 100,
    });
    expect(jobIn(1, new Map())).toEqual({ job: 'other' });
  });

  it('of one disk is that of its type', () => {
    expect(blockJobIn({ type: 2, cur: 1, end: 4 })).toEqual({ job: 'blockcopy', progress: 25 });
    expect(blockJobIn({ type: 4, cur: 0, end: 0 })).toEqual({ job: 'blockcommit' });
    expect(blockJobIn({ type: 77, cur: 1, end: 1 })).toEqual({ job: 'other', progress: 100 });
  });
});

describe('The reason of a pause', () => {
  it('is that of the state, or of the event', () => {
    expect([1, 3, 5, 9, 14, 99].map(pauseOf)).toEqual(['user', 'save', 'ioerror', 'snapshot', 'error', 'unknown']);
    expect([0, 1, 2, 7, 99].map(suspensionOf)).toEqual(['user', 'migration', 'ioerror', 'postcopy', 'unknown']);
  });
});
