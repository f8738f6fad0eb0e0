import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from 'vitest';

import { PROGRAM, until } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';
import { networkDisk } from '../support/slow-storage.ts';
import { atTerminal } from '../support/terminal.ts';
import { makeGroup, removeGroup, startMachine } from './busy-machine.ts';
import { libvirtStage } from './libvirt-stage.ts';

const stage = libvirtStage();

let undo: readonly (() => void)[] = [];
const children: ChildProcess[] = [];
const closing: (() => void)[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  const { libvirtd } = stage();
  const running = (await libvirtd.virsh('list', '--uuid').catch(() => '')).split('\n').filter(Boolean);
  await Promise.all(running.map(async (uuid) => await libvirtd.destroy(uuid)));
  for (const close of closing.splice(0)) close();
  await removeGroup(undo);
  undo = [];
});

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `vhostmd why` beside the test; resolves at its end. */
const begin = (args: readonly string[], command: readonly string[] = [process.execPath]) => {
  const [file = '', ...words] = [...command, PROGRAM, 'why', ...args];
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 * PATIENCE });
  children.push(child);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  const end = once(child, 'close').then(([code]: (number | null)[]): Said => ({ code: code ?? null, ...texts }));
  return { child, texts, end };
};
const why = async (...args: readonly string[]): Promise<Said> => await begin(['-c', stage().libvirtd.uri, ...args]).end;

const machine = async (name: string, boot: 'busy' | 'idle', quota?: number) => {
  const { libvirtd } = stage();
  const uuid = await startMachine(stage(), name, boot);
  const pid = libvirtd.qemuPid(uuid);
  undo = [...undo, ...makeGroup(Number(await libvirtd.virsh('domid', uuid)), pid, quota)];
  return { uuid, pid };
};
/** Asks until that is the first cause: a machine first runs its firmware. */
const untilCause = async (name: string, cause: string): Promise<Said> => {
  let said: Said | undefined;
  await until(
    `the cause ${cause}`,
    async () => {
      said = await why(name, '--json', '--seconds', '2');
      return JSON.parse(said.stdout).cause === cause;
    },
    30_000,
  );
  if (said === undefined) throw new Error('nobody was asked');
  return said;
};
// As root the test may move the processes of others.
const pinned = (pid: number): void => void execFileSync('taskset', ['-apc', '0', String(pid)]);
const loop = (): ChildProcess => {
  const child = spawn('taskset', ['-c', '0', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' });
  children.push(child);
  return child;
};

describe.runIf(process.getuid?.() === 0)('vhostmd why', () => {
  it('names the quota of a VM, and what to do', async () => {
    await machine('limited', 'busy', 10_000);
    const { code, stdout, stderr } = await why('limited', '--seconds', '3');
    expect(stderr).toBe('');
    expect(code).toBe(1);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('limited is slow: its CPU quota stops it.');
    expect(stdout).toMatch(/^ {2}\d+(\.\d+)? % of the time its CPU quota stopped a virtual CPU \(from 5 % on\)$/m);
    expect(stdout).toMatch(/^ {2}It stopped the VM in \d+ of \d+ periods\.$/m);
    expect(lines).toContain('  virsh schedinfo limited');
    expect(lines).toContain(`  docs/why.md, "The VM's own CPU quota"`);
  });

  it('names the neighbours that use the CPUs, and what runs outside of VMs', async () => {
    const { pid } = await machine('victim', 'busy');
    const other = await machine('neighbour $(id)', 'busy');
    pinned(pid);
    pinned(other.pid);
    loop();
    loop();
    const { code, stdout } = await why('victim', '--json', '--seconds', '4');
    expect(code).toBe(1);
    const { cause, findings } = JSON.parse(stdout);
    expect(cause).toBe('neighbours');
    expect(findings[0].evidence[0]).toMatchObject({ name: 'waiting', unit: '%', threshold: 5 });
    expect(findings[0].offender.kind).toBe('cpu');
    expect(findings[0].offender.domains[0]).toMatchObject({ name: 'neighbour $(id)', uuid: other.uuid });
    // Two of the four on that CPU.
    expect(findings[0].offender.outside).toBeGreaterThan(0.2);
    expect((await why('victim', '--seconds', '2')).stdout).toMatch(/: "neighbour \$\(id\)" used 0\.\d+ CPUs, /);
  });

  it('says that a VM is paused, why, and how to resume it', async () => {
    const { uuid } = await machine('stopped', 'idle');
    await stage().libvirtd.virsh('suspend', uuid);
    const paused = await why(uuid, '--seconds', '2');
    expect(paused.stdout).toMatch(/^stopped is slow: the host paused it\.$/m);
    expect(paused.stdout).toMatch(/It is paused now; the reason is: user\./);
    expect(paused.stdout).toContain('Resume it: `virsh resume stopped`');
    expect(paused.code).toBe(1);
  });

  it('names the disk that is at its I/O limit, and the limit', async () => {
    const disk = '<iotune><read_iops_sec>20</read_iops_sec></iotune>';
    await startMachine(stage(), 'reader', 'reading', { disk });
    const { stdout } = await untilCause('reader', 'io-limit');
    expect(JSON.parse(stdout).findings[0].offender).toMatchObject({
      kind: 'limit',
      disk: 'vda',
      source: expect.stringMatching(/\.raw$/),
      limit: 'read_iops_sec',
      most: 20,
    });
    const text = (await why('reader', '--seconds', '2')).stdout;
    expect(text).toMatch(/^reader is slow: a disk has reached its I\/O limit\.$/m);
    expect(text).toMatch(/^ {2}Disk vda \(.*\.raw\) is at \d+(\.\d+)? of its 20 per second \(read_iops_sec\)\.$/m);
    expect(text).toContain('  virsh blkdeviotune reader vda\n');
  });

  it('names the disk whose storage is slow', async () => {
    const { folder } = stage();
    const sourceOf = async (image: string): Promise<string> => {
      const slow = await networkDisk(folder, '--filter=delay', 'file', image, 'rdelay=50ms');
      closing.push(slow.close);
      return slow.source;
    };
    await startMachine(stage(), 'reader', 'reading', { sourceOf });
    const { stdout } = await untilCause('reader', 'storage');
    const [finding] = JSON.parse(stdout).findings;
    expect(finding.evidence[0]).toMatchObject({ name: 'latency', unit: 'ms' });
    expect(finding.offender).toMatchObject({ kind: 'disk', disk: 'vda' });
    expect(finding.offender.ms).toBeGreaterThanOrEqual(50);
  });

  it('finds nothing in a quiet VM, and says what it measured', async () => {
    await machine('quiet', 'idle');
    await until('the firmware has ended', async () => {
      const { stdout } = await why('quiet', '--json', '--seconds', '2');
      return JSON.parse(stdout).findings.length === 0;
    });
    const { code, stdout, stderr } = await why('quiet', '--seconds', '2');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^Nothing on the host slows quiet down: look inside the guest\.$/m);
    expect(stdout).toMatch(/^ {2}Measured in \d.* seconds: .*waiting \d/m);
    expect(code).toBe(0);
  });

  it('says which causes it could not judge, and what would help', async () => {
    // Without a control group.
    await startMachine(stage(), 'groupless', 'idle');
    const { code, stdout } = await why('groupless', '--seconds', '2');
    expect(stdout).toMatch(/^Not judged:$/m);
    expect(stdout).toMatch(
      /^ {2}.*The host is short of memory.*: libvirt has made no control group .*qemu:\/\/\/system/m,
    );
    expect(code).not.toBe(2);
  });

  it('shows a hostile name as text, and gives no command that it changes', async () => {
    const file = path.join(stage().folder, 'pwned');
    const name = `-x'; touch ${file.replaceAll('/', '\\')} \u009b2Jowned $(id)\n\u202e`;
    const { uuid } = await machine(name, 'busy', 10_000);
    const { stdout } = await why(uuid, '--seconds', '2');
    expect(stdout).toMatch(/^[\n -~]+$/);
    expect(stdout.split('\n')[0]).toContain(String.raw`\u{9b}2Jowned`);
    expect(stdout).toContain(`  virsh schedinfo ${uuid}\n`);
    expect((await why('--all', '--seconds', '2')).stdout).toMatch(/^[\n -~]+$/);
    expect((await why(uuid, '--json', '--seconds', '2')).stdout).toMatch(/^[\n -~]+$/);
    expect(existsSync(file)).toBe(false);
  });

  it('lists all VMs, those with a cause first', async () => {
    await startMachine(stage(), 'a-quiet', 'idle');
    await machine('limited', 'busy', 10_000);
    const { code, stdout } = await why('--all', '--seconds', '3');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^limited {2}quota {2,}\d+(\.\d+)? %$/);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/^a-quiet {2}/);
    expect(code).toBe(1);
    const all = JSON.parse((await why('--all', '--json', '--seconds', '2')).stdout);
    expect(all.map(({ domain }: { domain: { name: string } }) => domain.name)).toEqual(['limited', 'a-quiet']);
  });

  it('answers about one VM while the QEMU of another hangs', async () => {
    await machine('limited', 'busy', 10_000);
    const frozen = await startMachine(stage(), 'frozen', 'idle');
    const pid = stage().libvirtd.qemuPid(frozen);
    process.kill(pid, 'SIGSTOP');
    try {
      const { code, stdout } = await why('limited', '--json', '--seconds', '2');
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ cause: 'quota' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('works as an ordinary user', async () => {
    await machine('limited', 'busy', 10_000);
    const user = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath];
    const { code, stdout } = await begin(['-c', stage().libvirtd.uri, 'limited', '--seconds', '2', '--json'], user).end;
    expect(JSON.parse(stdout)).toMatchObject({ cause: 'quota' });
    expect(code).toBe(1);
  });

  it('watches line by line, ends with the VM, and at once by a signal', async () => {
    const { uuid } = await machine('limited', 'busy', 10_000);
    const first = begin(['-c', stage().libvirtd.uri, 'limited', '--watch', '--seconds', '2']);
    const lines = (): readonly string[] => first.texts.stdout.split('\n').slice(0, -1);
    await until('two lines', () => lines().length >= 2, 20_000);
    for (const line of lines())
      expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z limited is slow: its CPU quota stops it\.$/);
    const second = begin(['-c', stage().libvirtd.uri, '--all', '--watch', '--json', '--seconds', '2']);
    await until('a line', () => second.texts.stdout.includes('\n'), 20_000);
    second.child.kill('SIGINT');
    expect((await second.end).code).toBe(130);
    expect(JSON.parse(second.texts.stdout.split('\n')[0] ?? '')[0]).toMatchObject({ cause: 'quota' });
    await stage().libvirtd.destroy(uuid);
    expect(await first.end).toMatchObject({ code: 2, stderr: 'vhostmd: The domain has ended\n' });
  });

  it('redraws the screen of a terminal, and restores it', async () => {
    await machine('limited', 'busy', 10_000);
    const words = [process.execPath, PROGRAM, 'why', 'limited', '--watch', '--seconds', '2'];
    const { text } = atTerminal(['timeout', '-s', 'INT', '8', ...words, '-c', stage().libvirtd.uri], { TERM: 'xterm' });
    expect(text.startsWith('\u001b[?1049h')).toBe(true);
    expect(text).toContain('limited is slow: its CPU quota stops it.');
    expect(text.match(/Seen in \d/g)?.length).toBeGreaterThan(1);
    expect(text.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });

  it('suggests a name for one that nobody has', async () => {
    await startMachine(stage(), 'web1', 'idle');
    expect(await why('web2')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'vhostmd: There is no domain "web2"; did you mean "web1"?\n',
    });
  });

  it('says that libvirt is away, or has gone', async () => {
    const nowhere = ['-c', 'qemu+unix:///session?socket=/nonexistent'];
    for (const what of ['web1', '--all']) {
      const { code, stdout, stderr } = await begin([...nowhere, what]).end;
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/\/nonexistent[^]*Is libvirt running there\?/);
    }
    const { libvirtd } = stage();
    await startMachine(stage(), 'web1', 'idle');
    const asked = begin(['-c', libvirtd.uri, 'web1', '--seconds', '60']);
    await sleep(3000);
    libvirtd.kill('SIGKILL');
    const { code, stderr } = await asked.end;
    await libvirtd.start();
    expect(code).toBe(2);
    expect(stderr).toContain('libvirt cannot be reached');
  });
});
