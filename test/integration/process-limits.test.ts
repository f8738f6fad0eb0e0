import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, TEST_URI } from '../cli/commands/program.ts';
import { readMetrics, until, valueOf } from '../support/daemon.ts';
import { processesWith } from '../support/processes.ts';
import { stage } from './process-stage.ts';

const { place, start } = stage();

// A user of Debian's whom nobody uses: the limit counts all processes of a user.
const USER = 'games';

describe('Limits', () => {
  it('FAULTS 9: 10,000 metrics are all published, and their actions run a few at a time', async () => {
    const { directory, disk, config } = place('', { sizeKiB: 4096, period: 20 });
    const running = path.join(directory, 'running');
    // Each tells how many of its kind run beside it. Equal texts would run once.
    const command = `mkdir ${running}.$$; sleep 0.02; ls -d ${running}.* | wc -l; rmdir ${running}.$$`;
    const actions = Array.from({ length: 200 }, (_, at) => action(`A${at}`, `: ${at}; ${command}`));
    const stats = Array.from(
      { length: 9800 },
      (_, at) => `<metric type="uint64" context="host"><name>S${at}</name><stat>host.memory.total</stat></metric>`,
    );
    const text = readFileSync(config, 'utf8');
    writeFileSync(
      config,
      text.replace('<metrics>', () => `<metrics>${[...actions, ...stats].join('')}`),
    );
    await start([...TEST_URI, '-f', config]);
    await until('all metrics', async () => (await readMetrics(disk)).length === 10_000, 40_000);
    const beside = (await readMetrics(disk))
      .filter(({ name }) => name.startsWith('A'))
      .map(({ value }) => Number(value));
    expect(Math.max(...beside)).toBeLessThanOrEqual(8);
    expect(Math.max(...beside)).toBeGreaterThan(1);
  });

  it.runIf(process.getuid?.() === 0)(
    'FAULTS 26: an action that forks without end hurts nobody else for long: others fail while no process can be made, and come back',
    async () => {
      const marker = `9${String(process.pid).padStart(6, '0')}`;
      // Some hundred processes at its worst: the limit of the user is what stops it.
      const bomb = `i=0; while [ $i -lt 400 ]; do sleep ${marker} & i=$((i+1)); done; wait`;
      const { directory, disk, config } = place(
        action('Good', 'echo good') +
          action('Bomb', `[ -e DIR/armed ] && { ${bomb}; }; echo calm`, { more: 'timeout="1"' }),
        { period: 2 },
      );
      writeFileSync(config, readFileSync(config, 'utf8').replaceAll('DIR', directory));
      const [uid = 0, gid = 0] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, USER])));
      chownSync(directory, uid, uid);
      chmodSync(directory, 0o755);
      const daemon = await start([...TEST_URI, '-f', config, '-u', USER]);
      await until('the first value', async () => (await valueOf(disk, 'Good')) === 'good');
      // With its own threads the daemon has some 30 of these.
      const same = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
      execFileSync('setpriv', [...same, 'prlimit', '--pid', String(daemon.child.pid), '--nproc=60:60']);
      writeFileSync(path.join(directory, 'armed'), '');
      await until('the bomb has gone off', () => processesWith('cmdline', `sleep\0${marker}\0`).length > 10, 20_000);
      await until(
        'it is ended at its deadline',
        () => processesWith('cmdline', `sleep\0${marker}\0`).length === 0,
        20_000,
      );
      rmSync(path.join(directory, 'armed'));
      const both = async (): Promise<readonly (string | undefined)[]> =>
        await Promise.all(['Bomb', 'Good'].map(async (name) => await valueOf(disk, name)));
      await until('both are well again', async () => (await both()).join() === 'calm,good', 20_000);
      expect(daemon.child.exitCode).toBeNull();
    },
  );
});
