import { statSync } from 'node:fs';

import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification, type VitestPluginContext } from 'vitest/node';

import { PATIENCE } from './test/support/patience.ts';

// `npm run mutate` starts the unit tests once for each mutant.
const mutating = process.env['STRYKER_MUTATOR_WORKER'] !== undefined;

// Disks of other users: fast, so that root starts them with the unit tests for each mutant.
const FAST_AS_ROOT =
  mutating && process.getuid?.() === 0
    ? []
    : ['test/sinks/metrics-disk/{ownership,prepare-disks,private-trust}.test.ts'];

// Guests, systemd, mounts and other users: root. The soak wants the machine for itself: npm run soak. The container needs
// its image: npm run test:container.
const SYSTEM = [
  'test/{conf,guest,systemd}/**/*.test.ts',
  'test/packaging/purge.test.ts',
  'test/sinks/metrics-disk/{full-or-read-only,private-isolation,private-swap,stop,torn}.test.ts',
  'test/sinks/virtio-serial/faults.test.ts',
  'test/system/path-trust.test.ts',
  'test/system/process/**/*.test.ts',
  ...FAST_AS_ROOT,
  ...(process.env['SOAK'] === undefined ? [] : ['test/soak/**/*.test.ts']),
  ...(process.env['VHOSTMD_IMAGE'] === undefined ? [] : ['test/container/**/*.test.ts']),
];

// Real processes, libvirt and the receivers of sinks.
const INTEGRATION = [
  'test/{crash,examples,fuzz,integration,scripts}/**/*.test.ts',
  'test/cli/commands/**/*.test.ts',
  'test/cli/command-line.test.ts',
  'test/cli/migrate/real-shell.test.ts',
  'test/client/read-*.test.ts',
  'test/daemon/topology.test.ts',
  'test/daemon/status/{daemon,socket}.test.ts',
  'test/sinks/prometheus/**/*.test.ts',
  'test/sources/action/{actions,hostile-names,process,shell}.test.ts',
  'test/sources/libvirt/{connection,domain-devices,known-domains}.test.ts',
  'test/man.test.ts',
  'test/packaging/!(purge).test.ts',
  'test/system/{libc,load-part,log,source-stack,systemd}.test.ts',
];

const project = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude: [...configDefaults.exclude, ...exclude] },
});

// vitest gives the --exclude of the command line to the root only.
const excludeInProjects = {
  name: 'exclude-in-projects',
  configureVitest: ({ vitest, project }: VitestPluginContext): void => {
    project.config.exclude.push(...vitest.config.exclude);
  },
};

/** Starts small files first: a mutant ends with the first test that fails, and tests with sockets are in large ones. */
class SmallFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sizeOf = ({ moduleId }: TestSpecification): number => statSync(moduleId).size;
    return Promise.resolve(files.toSorted((one, other) => sizeOf(one) - sizeOf(other)));
  }
}

const UNIT = project('unit', ['test/**/*.test.ts'], [...SYSTEM, ...INTEGRATION, 'test/{container,soak}/**']);

export default defineConfig({
  plugins: [excludeInProjects],
  test: {
    // A test that nothing else claims is a unit test: it must run on any machine with Node.
    projects: mutating ? [UNIT] : [UNIT, project('integration', INTEGRATION), project('system', SYSTEM)],
    isolate: !mutating,
    sequence: mutating ? { sequencer: SmallFirst } : {},
    // Longer on a machine that is busy.
    testTimeout: 60_000 * PATIENCE,
    hookTimeout: 120_000 * PATIENCE,
    // Most tests wait for real processes. Stryker's are threads, in which a change of user affects all.
    maxWorkers: mutating ? 1 : 3,
  },
});
