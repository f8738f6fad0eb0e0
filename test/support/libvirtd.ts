import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { processesWith } from './processes.ts';

const run = promisify(execFile);

// As root, the private libvirtd runs as this user, because there is only one system instance of libvirt: the host's.
const NOBODY = 65534;

/** A libvirtd with its own QEMU domains, apart from the host's, which tests may stop, freeze and kill. */
export interface PrivateLibvirtd {
  readonly uri: string;
  /** Creates a running or paused QEMU domain of 16 MiB; returns its UUID. */
  readonly create: (
    name: string,
    options?: { readonly paused?: boolean; readonly devices?: string; readonly uuid?: string },
  ) => Promise<string>;
  readonly destroy: (nameOrUuid: string) => Promise<void>;
  readonly virsh: (...args: readonly string[]) => Promise<string>;
  /** Returns the pid of a domain's QEMU. */
  readonly qemuPid: (uuid: string) => number;
  readonly pid: () => number;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly start: () => Promise<void>;
  /** Ends the domains and the daemons, and removes all files. */
  readonly close: () => Promise<void>;
}

export const xmlEscape = (text: string): string =>
  text.replaceAll(/[<>&'"\n\r\t]/g, (character) => `&#${character.codePointAt(0)};`);

/** Returns a minimal domain, without a disk and network, that starts in a fraction of a second. */
export const domainXml = (name: string, devices = '', uuid: string = randomUUID()): string => `<domain type='qemu'>
  <name>${xmlEscape(name)}</name><uuid>${uuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='microvm'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
  <memballoon model='none'/>${devices}</devices></domain>`;

export interface LibvirtdOptions {
  /** Shell text that runs as root in libvirtd's own mount namespace before its start. */
  readonly before?: string;
  /** Lines of libvirtd.conf. */
  readonly settings?: string;
  /** Further environment variables of libvirtd and virsh. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a private libvirtd; rejects if libvirtd or QEMU are not installed (`npm test` installs them). */
export const startLibvirtd = async (options: LibvirtdOptions = {}): Promise<PrivateLibvirtd> => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-libvirt-'));
  const root = process.getuid?.() === 0;
  // libvirt takes seconds to probe QEMU, so all instances share the cache.
  const cache = path.join(tmpdir(), `vhostmd-libvirt-cache-${root ? NOBODY : process.getuid?.()}`);
  for (const part of ['', 'run', 'config', 'data'])
    mkdirSync(path.join(directory, part), { recursive: true, mode: 0o755 });
  mkdirSync(cache, { recursive: true });
  if (root) for (const part of ['', 'run', 'config', 'data']) chownSync(path.join(directory, part), NOBODY, NOBODY);
  if (root) chownSync(cache, NOBODY, NOBODY);
  const environment = {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: directory,
    XDG_RUNTIME_DIR: path.join(directory, 'run'),
    XDG_CONFIG_HOME: path.join(directory, 'config'),
    XDG_DATA_HOME: path.join(directory, 'data'),
    XDG_CACHE_HOME: cache,
    ...options.environment,
  };
  mkdirSync(path.join(directory, 'config/libvirt'), { mode: 0o755 });
  writeFileSync(path.join(directory, 'config/libvirt/libvirtd.conf'), options.settings ?? '', { mode: 0o644 });
  if (root) chownSync(path.join(directory, 'config/libvirt'), NOBODY, NOBODY);
  const socket = path.join(directory, 'run/libvirt/libvirt-sock');
  const uri = `qemu+unix:///session?socket=${socket}`;
  const daemon = (name: string): ChildProcess =>
    spawn(name, [], { env: environment, stdio: 'ignore', ...(root ? { uid: NOBODY, gid: NOBODY } : {}) });
  const mounted = (before: string): ChildProcess => {
    const script = `set -e; ${before}\nexec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups libvirtd`;
    return spawn('unshare', ['--mount', 'sh', '-c', script], { env: environment, stdio: 'ignore' });
  };
  const virsh = async (...args: readonly string[]): Promise<string> =>
    (
      await run('virsh', ['-q', '-c', uri, ...args], {
        encoding: 'utf8',
        env: { ...process.env, ...options.environment },
      })
    ).stdout.trim();

  const logd = daemon('virtlogd');
  let libvirtd: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    // A killed libvirtd holds the lock of its pid file until it has ended.
    if (libvirtd?.exitCode === null && libvirtd.signalCode === null) await once(libvirtd, 'exit');
    libvirtd = options.before === undefined ? daemon('libvirtd') : mounted(options.before);
    const failed = new Promise<never>((_resolve, reject) => libvirtd?.once('error', reject));
    const ready = (async () => {
      for (let tries = 0; tries < 300; tries += 1) {
        if (existsSync(socket) && (await virsh('uri').catch(() => '')) !== '') return;
        await sleep(50);
      }
      throw new Error('the private libvirtd does not answer');
    })();
    await Promise.race([ready, failed]);
  };
  await start();
  return {
    uri,
    virsh,
    create: async (name, { paused = true, devices = '', uuid = randomUUID() } = {}) => {
      const file = path.join(directory, `${Math.random().toString(36).slice(2)}.xml`);
      writeFileSync(file, domainXml(name, devices, uuid), { mode: 0o644 });
      await virsh('create', ...(paused ? ['--paused'] : []), file);
      return uuid;
    },
    destroy: async (nameOrUuid) => void (await virsh('destroy', '--domain', nameOrUuid)),
    qemuPid: (uuid) =>
      Number(
        execFileSync('pgrep', ['-f', `qemu-system.*-uuid ${uuid}`], { encoding: 'utf8' })
          .trim()
          .split('\n')[0],
      ),
    pid: () => libvirtd?.pid ?? 0,
    kill: (signal) => void libvirtd?.kill(signal),
    start,
    close: async () => {
      for (const pid of [...processesWith('environ', `HOME=${directory}\0`), logd.pid, libvirtd?.pid]) {
        try {
          if (pid !== undefined) process.kill(pid, 'SIGKILL');
        } catch {
          // The process has ended.
        }
      }
      await sleep(100);
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
