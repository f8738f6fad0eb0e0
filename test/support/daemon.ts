import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { firstValueFrom } from 'rxjs';

import { type DumpedMetric, dump$ } from '../../src/client/read-metrics.ts';
import { PATIENCE } from './patience.ts';

/** The built program. */
export const PROGRAM = fileURLToPath(new URL('../../dist/vhostmd.cjs', import.meta.url));

/** A scratch folder with a configuration and the path of a disk. */
export interface Scratch {
  readonly directory: string;
  readonly disk: string;
  readonly config: string;
  readonly remove: () => void;
}

/** Writes a configuration with these `<metric>` elements. */
export const scratch = (
  metrics: string,
  { period = 1, globals = '', sizeKiB = 256 }: { period?: number; globals?: string; sizeKiB?: number } = {},
): Scratch => {
  const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-test-'));
  const disk = path.join(directory, 'disk');
  const config = path.join(directory, 'vhostmd.conf');
  writeFileSync(
    config,
    `<vhostmd><globals><disk><name>d</name><path>${disk}</path><size unit="k">${sizeKiB}</size></disk>` +
      `<update_period>${period}</update_period><path>/usr/sbin:/sbin:/usr/bin:/bin</path><transport>vbd</transport>${globals}</globals>` +
      `<metrics>${metrics}</metrics></vhostmd>\n`,
  );
  return { directory, disk, config, remove: () => rmSync(directory, { recursive: true, force: true }) };
};

export interface RunningDaemon {
  readonly child: ChildProcess;
  /** Returns its output so far. */
  readonly output: () => string;
  readonly printed: (text: string | RegExp, timeout?: number) => Promise<void>;
  /** Sends the signal; returns the exit code (null if a signal killed it) and the milliseconds until the end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<{ readonly code: number | null; readonly ms: number }>;
}

/** A disk that cannot be read: while it is being created it has no header yet. */
class UnreadableDisk extends Error {}

/**
 * Waits until a condition holds; throws with `what` after `timeout` ms, multiplied on a busy machine. Also waits while
 * a disk cannot be read yet.
 */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, timeout = 10_000): Promise<void> => {
  const patience = timeout * PATIENCE;
  const end = performance.now() + patience;
  let cause: unknown;
  const attempt = async (): Promise<boolean> => {
    try {
      return await holds();
    } catch (error) {
      if (!(error instanceof UnreadableDisk)) throw error;
      cause = error;
      return false;
    }
  };
  while (!(await attempt())) {
    if (performance.now() > end) throw new Error(`not within ${patience.toFixed()} ms: ${what}`, { cause });
    await sleep(10);
  }
};

export interface DaemonOptions {
  /** Waits for its first snapshot; true by default. */
  readonly ready?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** The pid of a process whose mounts the daemon sees. */
  readonly mountsOf?: number;
}

/** Starts `vhostmd -d` with further arguments. */
export const startDaemon = async (
  args: readonly string[],
  { ready = true, env = {}, mountsOf }: DaemonOptions = {},
): Promise<RunningDaemon> => {
  const command = [process.execPath, PROGRAM, '-d', ...args];
  // nsenter becomes the program, so signals reach the daemon.
  if (mountsOf !== undefined) command.unshift('nsenter', `--mount=/proc/${mountsOf}/ns/mnt`);
  const [file = '', ...rest] = command;
  const child = spawn(file, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => (text += data.toString('utf8')));
  let ended: { code: number | null } | undefined;
  // `close`, because output may follow `exit`.
  child.once('close', (code) => (ended = { code }));
  const daemon: RunningDaemon = {
    child,
    output: () => text,
    printed: (what, timeout) =>
      until(
        `output ${String(what)} in:\n${text}`,
        () => (typeof what === 'string' ? text.includes(what) : what.test(text)),
        timeout,
      ),
    stop: async (signal = 'SIGTERM') => {
      const start = performance.now();
      child.kill(signal);
      await until('the daemon has ended', () => ended !== undefined);
      return { code: ended?.code ?? null, ms: performance.now() - start };
    },
  };
  if (ready) {
    const isReady = (): boolean => {
      if (ended !== undefined) throw new Error(`the daemon ended with ${ended.code}:\n${text}`);
      return text.includes('Ready: ');
    };
    // An action that hangs delays it by 5 s.
    await until('the first snapshot', isReady, 30_000);
  }
  return daemon;
};

/** Returns the metrics on a disk, after verifying it. */
export const readMetrics = async (disk: string): Promise<readonly DumpedMetric[]> => {
  const dumped = await firstValueFrom(dump$(disk));
  if (!dumped.ok) throw new UnreadableDisk(dumped.error);
  return dumped.value.metrics;
};

/** True if there is a document on the disk, for `until`: a file that is there may have no size yet. */
export const hasDocument = async (disk: string): Promise<boolean> => {
  await readMetrics(disk);
  return true;
};

/** Returns the value of one metric on a disk, of the host or of a domain. */
export const valueOf = async (disk: string, name: string, uuid?: string): Promise<string | undefined> =>
  (await readMetrics(disk)).find((metric) => metric.name === name && metric.uuid === uuid)?.value;
