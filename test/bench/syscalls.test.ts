import { expect, it } from 'vitest';

import { callsIn } from '../../bench/syscalls.ts';

it('the summary of strace has the calls of each kind, with and without errors', () => {
  const summary = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.85    0.234508         122      1911       231 futex
  0.40    0.001500           2       530           pread64
  0.00    0.000000           0         1           getpid
------ ----------- ----------- --------- --------- ----------------
100.00    0.379168          70      2442       231 total
`;
  expect([...callsIn(summary)]).toEqual([
    ['futex', 1911],
    ['pread64', 530],
    ['getpid', 1],
  ]);
});
