import { describe, it } from 'vitest';

import { sinkContract } from '../../src/testing/contract.ts';

/** Declares the tests of the sink contract for a sink. */
export const describeSinkContract = (name: string, make: Parameters<typeof sinkContract>[0]): void => {
  describe(`${name} keeps the contract of a sink: it`, () => {
    for (const rule of sinkContract(make)) it(rule.name, rule.run);
  });
};
