import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes of everything at once, which wants the machine for itself: npm run soak.
    exclude: [...configDefaults.exclude, ...(process.env['SOAK'] === undefined ? ['test/soak/**'] : [])],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait for real processes.
    maxWorkers: 2,
  },
});
