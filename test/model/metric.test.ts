import { expect, it } from 'vitest';

import { domainRunKey } from '../../src/model/metric.ts';

it('each run of each domain has its own key, and so has a domain that does not run', () => {
  const runs = [{ uuid: 'a', id: 1 }, { uuid: 'a', id: 2 }, { uuid: 'b', id: 1 }, { uuid: 'a' }, { uuid: 'b' }];
  expect(new Set(runs.map(domainRunKey)).size).toBe(runs.length);
  expect(domainRunKey({ uuid: 'a', id: 1 })).toBe(domainRunKey({ uuid: 'a', id: 1 }));
});
