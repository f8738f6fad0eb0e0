import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { until } from '../support/daemon.ts';

const COMMON = fileURLToPath(new URL('../../scripts/common.sh', import.meta.url));
const run = promisify(execFile);

// common.sh finds its folder by $0, which the scripts set.
const SOURCED = '. "$0"; "$@"';

let folder = '';
const children: ChildProcess[] = [];
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-apt-'))));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Makes a separate state of apt and dpkg, without sources; returns the path of its configuration. */
const scratchApt = (): string => {
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'dpkg', 'etc'])
    mkdirSync(path.join(folder, name), { recursive: true });
  copyFileSync('/var/lib/dpkg/status', path.join(folder, 'dpkg/status'));
  writeFileSync(path.join(folder, 'etc/sources'), '');
  const config = path.join(folder, 'apt.conf');
  writeFileSync(
    config,
    `Dir::State "${folder}/state"; Dir::State::status "${folder}/dpkg/status"; Dir::Cache "${folder}/cache";\n` +
      `Dir::Etc::sourcelist "${folder}/etc/sources"; Dir::Etc::sourceparts "-";\n`,
  );
  return config;
};

/** Starts another program that holds a lock, as apt locks (fcntl(2), which flock(1) does not use). */
const holding = async (lock: string): Promise<ChildProcess> => {
  const program =
    'use Fcntl; open(my $f, ">>", $ARGV[0]) or die; my $l = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $l) or die; $| = 1; print "held"; sleep 600';
  const holder = spawn('perl', ['-e', program, lock], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(holder);
  let held = false;
  holder.stdout.once('data', () => (held = true));
  await until('the lock is held', () => held);
  return holder;
};

const installing = (config: string) => {
  const child = spawn('sh', ['-c', SOURCED, COMMON, 'need_packages', 'a test', 'bash'], {
    env: { ...process.env, APT_CONFIG: config },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  const seen: { text: string; code?: number | null } = { text: '' };
  child.stderr.on('data', (data: Buffer) => (seen.text += data.toString()));
  child.once('close', (code) => (seen.code = code));
  return seen;
};

describe('CASE A8: packages are installed', () => {
  it.each(['dpkg/lock-frontend', 'dpkg/lock', 'state/lists/lock'])(
    'after another program has released %s',
    async (lock) => {
      const config = scratchApt();
      const holder = await holding(path.join(folder, lock));
      const seen = installing(config);
      await until(`it says that it waits: ${seen.text}`, () => seen.text.includes('waiting until it has finished'));
      // It still waits, and prints this once.
      await sleep(2500);
      expect(seen.code).toBeUndefined();
      expect(seen.text.split('waiting until it has finished')).toHaveLength(2);
      holder.kill('SIGKILL');
      await until('the end of the installation', () => seen.code !== undefined, 60_000);
      expect(seen).toMatchObject({ code: 0 });
    },
  );

  it('at once, or not at all, if no lock is in the way', async () => {
    const config = scratchApt();
    const well = installing(config);
    await until('the end of the installation', () => well.code !== undefined, 60_000);
    expect(well).toEqual({ code: 0, text: 'vhostmd: Installing for a test: bash\n' });
    writeFileSync(path.join(folder, 'etc/sources'), 'no line of this kind\n');
    const broken = installing(config);
    await until('the end of the installation', () => broken.code !== undefined, 60_000);
    expect(broken.code).toBe(1);
    expect(broken.text).toContain('could not be installed (see above)');
  });
});

describe('CASE A5: libvirt is looked for', () => {
  // The PATH of an ordinary user on Debian, without /usr/sbin, which has ldconfig.
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` };

  it('by loading it, which needs no program of root’s', async () => {
    await run('sh', ['-c', SOURCED, COMMON, 'have_libvirt'], { env });
  });

  it('and is not found where it cannot be loaded', async () => {
    const { stdout } = await run('sh', ['-c', 'ldconfig -p | sed -n "s/.*libvirt.so.0 .*=> //p"']);
    const hidden = `for file in "$@"; do mount --bind /dev/null "$file"; done; exec sh -c '${SOURCED}' ${COMMON} have_libvirt`;
    const files = stdout.trim().split('\n');
    await expect(run('unshare', ['--mount', 'sh', '-c', hidden, 'sh', ...files], { env })).rejects.toMatchObject({
      code: 1,
    });
  });
});
