import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, vhostmd } from '../cli/commands/program.ts';
import { PROGRAM, readMetrics, type Scratch, until, valueOf } from '../support/daemon.ts';
import { stage } from './process-stage.ts';
import { PATIENCE } from '../support/patience.ts';

const NOBODY = 65534;
const { place: placeAnywhere, start } = stage();
/** Returns a configuration whose disk is in a directory of the user nobody. */
const place = (metrics: string): Scratch & { readonly owned: string } => {
  const made = placeAnywhere(metrics);
  const owned = path.join(made.directory, 'owned');
  const disk = path.join(owned, 'disk');
  chmodSync(made.directory, 0o755);
  mkdirSync(owned);
  chownSync(owned, NOBODY, NOBODY);
  writeFileSync(made.config, readFileSync(made.config, 'utf8').replace(`<path>${made.disk}<`, `<path>${disk}<`));
  return { ...made, owned, disk };
};
const status = (pid: number | undefined, field: string): string =>
  new RegExp(`^${field}:\\s*(.*?)\\s*$`, 'm')
    .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    ?.replaceAll('\t', ' ') ?? '';

describe('--user', () => {
  it.each(['root', '0'])('refuses %s', (user) => {
    const { disk, config } = place(HOST);
    const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', config, '-u', user]);
    expect(stderr).toContain('--user root is refused: leave the option out to run as root');
    expect(code).toBe(1);
    expect(existsSync(disk)).toBe(false);
  });

  it.each(['no-such-user', '-n', '$(id)', '4294967296'])('refuses %s, which is no user', (user) => {
    const { disk, config } = place(HOST);
    const { code, stderr } = vhostmd(['-d', ...TEST_URI, '-f', config, `--user=${user}`]);
    expect(stderr).toContain(`There is no user "${user}" (--user)`);
    expect(code).toBe(1);
    expect(existsSync(disk)).toBe(false);
  });
});

// Only root can do this.
describe.runIf(process.getuid?.() === 0)('--user nobody, started by root', () => {
  it.each(['nobody', String(NOBODY)])('has that user and its groups only, the actions too (%s)', async (user) => {
    const { disk, config } = place(HOST + action('Id', 'id -u; :') + action('Groups', 'echo $(id -G)'));
    const daemon = await start([...TEST_URI, '-f', config, '-u', user]);
    for (const field of ['Uid', 'Gid'])
      expect(status(daemon.child.pid, field)).toBe(`${NOBODY} ${NOBODY} ${NOBODY} ${NOBODY}`);
    expect(status(daemon.child.pid, 'Groups')).toBe(String(NOBODY));
    expect(status(daemon.child.pid, 'CapEff')).toMatch(/^0+$/);
    await until('the actions', async () => (await readMetrics(disk)).length === 3);
    expect(await valueOf(disk, 'Id')).toBe(String(NOBODY));
    expect(await valueOf(disk, 'Groups')).toBe(String(NOBODY));
    expect(statSync(disk)).toMatchObject({ uid: NOBODY, gid: NOBODY });
    expect(statSync(disk).mode & 0o777).toBe(0o644);
    expect((await daemon.stop()).code).toBe(0);
  });

  it('cannot get root back', async () => {
    const { config, directory } = place(HOST);
    const module = path.join(directory, 'back.cjs');
    const result = path.join(directory, 'owned', 'back');
    writeFileSync(
      module,
      `process.on('SIGUSR2', () => { let text = 'root'; try { process.setuid(0); } catch (error) { text = error.code; }
        require('node:fs').writeFileSync(${JSON.stringify(result)}, text); });`,
    );
    const daemon = await start([...TEST_URI, '-f', config, '-u', 'nobody'], {
      env: { NODE_OPTIONS: `--require=${module}` },
    });
    daemon.child.kill('SIGUSR2');
    await until('the attempt', () => existsSync(result) && readFileSync(result, 'utf8') !== '');
    expect(readFileSync(result, 'utf8')).toBe('EPERM');
  });

  it('writes the pid file before it gives root up, and leaves one that it may not remove for the next start', async () => {
    const { config, directory } = place(HOST);
    const pidFile = path.join(directory, 'pid');
    const first = await start([...TEST_URI, '-f', config, '-u', 'nobody', '-p', pidFile]);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${first.child.pid}\n`);
    expect((await first.stop()).code).toBe(0);
    const second = await start([...TEST_URI, '-f', config, '-u', 'nobody', '-p', pidFile]);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${second.child.pid}\n`);
    expect((await second.stop()).code).toBe(0);
  });

  it('reloads and works in the background as well', async () => {
    const { disk, config, owned } = place(HOST);
    const pidFile = path.join(owned, 'pid');
    expect(vhostmd([...TEST_URI, '-f', config, '-u', 'nobody', '-p', pidFile]).code).toBe(0);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    try {
      expect(status(pid, 'Uid')).toBe(`${NOBODY} ${NOBODY} ${NOBODY} ${NOBODY}`);
      writeFileSync(config, readFileSync(config, 'utf8').replace('</metrics>', `${action('New', 'id -un')}</metrics>`));
      process.kill(pid, 'SIGHUP');
      await until('the new metric', async () => (await valueOf(disk, 'New')) === 'nobody');
    } finally {
      process.kill(pid, 'SIGTERM');
    }
    await until('the pid file to go', () => !existsSync(pidFile));
  });
});

// Accounts that this machine lacks, in a separate mount namespace.
describe.runIf(process.getuid?.() === 0)('--user, and the groups of that user', () => {
  const ACCOUNTS = [
    'toor:x:0:1:root by another name:/:/bin/sh',
    'zerogroup:x:43211:0::/:/bin/sh',
    'member:x:43212:43212::/:/bin/sh',
  ];
  /** Returns the arguments of unshare(1) that run the daemon with these accounts. */
  const withAccounts = (args: readonly string[], { directory }: Scratch): readonly string[] => {
    const file = (name: string, text: string): string => {
      const made = path.join(directory, name);
      writeFileSync(made, text);
      chmodSync(made, 0o644);
      return made;
    };
    const passwd = file('passwd', `${readFileSync('/etc/passwd', 'utf8').trimEnd()}\n${ACCOUNTS.join('\n')}\n`);
    const groups = readFileSync('/etc/group', 'utf8').trimEnd();
    const group = file('group', `${groups.replace(/^root:(.*):.*$/m, 'root:$1:member')}\nmember:x:43212:\n`);
    const command = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"';
    return ['-m', 'sh', '-c', command, 'sh', passwd, group, process.execPath, PROGRAM, ...args];
  };
  const run = (
    args: readonly string[],
    scratch: Scratch,
  ): { readonly code: number | null; readonly output: string } => {
    const command = withAccounts(args, scratch);
    const { status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8', timeout: 50_000 * PATIENCE });
    return { code: status, output: stdout + stderr };
  };

  it.each(['zerogroup', '43211'])("CASE D3: a user whose primary group is root's is refused (%s)", (user) => {
    const made = place(HOST);
    const { code, output } = run(['-d', ...TEST_URI, '-f', made.config, '-u', user], made);
    expect(output).toContain(`--user "${user}" is refused, because its primary group is root's (gid 0)`);
    expect(code).toBe(1);
    expect(existsSync(made.disk)).toBe(false);
  });

  it.each(['toor', '0', '+0', '00'])('CASE D3: root is refused by any name (%s)', (user) => {
    const made = place(HOST);
    const { code, output } = run(['-d', ...TEST_URI, '-f', made.config, '-u', user], made);
    expect(output).toMatch(/--user (root|"toor", which is root by another name,) is refused: leave the option out/);
    expect(code).toBe(1);
    expect(existsSync(made.disk)).toBe(false);
  });

  it('CASE D3: a user who is a member of the group of root does not have it as a daemon', async () => {
    const made = place(HOST + action('Groups', 'echo $(id -G)'));
    chownSync(made.owned, 43212, 43212);
    const command = withAccounts(['-d', ...TEST_URI, '-f', made.config, '-u', 'member'], made);
    const daemon = spawn('unshare', command, { stdio: 'ignore' });
    try {
      await until(
        'the groups',
        async () => (await valueOf(made.disk, 'Groups').catch(() => undefined)) !== undefined,
        30_000,
      );
      expect(await valueOf(made.disk, 'Groups')).toBe('43212');
    } finally {
      daemon.kill('SIGKILL');
    }
  });
});
