import { Subject, VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';

import { shortageWarnings } from '../../../src/sinks/virtio-serial/shortage.ts';
import type { SinkReport } from '../../../src/sinks/sink.ts';

it('a shortage of descriptors has one warning for all channels, and one when it ends', () => {
  const time = new VirtualTimeScheduler();
  const counts = new Subject<number>();
  const reports: SinkReport[] = [];
  counts.pipe(shortageWarnings(time)).subscribe((report) => reports.push(report));
  // Nothing is reported as ended that has not begun.
  for (const count of [0, 0]) counts.next(count);
  expect(reports).toEqual([]);
  for (const count of [12, 12, 3, 0, 0]) counts.next(count);
  const short = {
    kind: 'warning',
    message:
      '12 channels cannot be opened: vhostmd has too many files open; raise LimitNOFILE of its service, or lower <max_channels> (EMFILE)',
  };
  const over = { kind: 'warning', message: 'There are descriptors for all channels again' };
  expect(reports).toEqual([short, over]);
  // It comes and goes: the latest state follows after a minute.
  for (const count of [1, 0, 1]) counts.next(count);
  expect(reports).toHaveLength(2);
  time.maxFrames = 60_000;
  time.flush();
  expect(reports.slice(2)).toEqual([{ ...short, message: short.message.replace('12 channels', '1 channel') }]);
});
