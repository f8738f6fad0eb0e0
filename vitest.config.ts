import { configDefaults, defineConfig } from 'vitest/config';

import { PATIENCE } from './test/support/patience.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes of everything at once, which wants the machine for itself: npm run soak.
    exclude: [...configDefaults.exclude, ...(process.env['SOAK'] === undefined ? ['test/soak/**'] : [])],
    // Longer on a machine that is busy.
    testTimeout: 60_000 * PATIENCE,
    hookTimeout: 120_000 * PATIENCE,
    // Most tests wait for real processes.
    maxWorkers: 2,
  },
});
