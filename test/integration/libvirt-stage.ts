import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll } from 'vitest';

import { readMetrics, type RunningDaemon, type Scratch, scratch, startDaemon } from '../support/daemon.ts';
import { type PrivateLibvirtd, startLibvirtd } from '../support/libvirtd.ts';

/** Returns a `<metric>` with a statistic. */
export const stat = (context: 'host' | 'vm', name: string, type = 'uint64'): string =>
  `<metric type="${type}" context="${context}"><name>${name}</name><stat>${name}</stat></metric>`;

/** Returns a `<metric>` with a shell command. */
export const action = (context: 'host' | 'vm', name: string, command: string, attributes = ''): string =>
  `<metric type="string" context="${context}" ${attributes}><name>${name}</name><action><![CDATA[${command}]]></action></metric>`;

/** Returns a command that adds a line to a file, and prints the number of lines. */
export const counting = (file: string, line = 'run'): string => `echo "${line}" >>${file}; wc -l <${file}`;

export const linesOf = (file: string): readonly string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];

/** Returns the UUIDs of the domains on a disk. */
export const domainsOn = async (disk: string): Promise<ReadonlySet<string>> =>
  new Set((await readMetrics(disk)).flatMap(({ uuid }) => (uuid === undefined ? [] : [uuid])));

/**
 * Returns the updates of the metrics disk in the log of `-v`: when, in ms since 1970, and how long each took, in ms.
 */
export const updatesOf = (daemon: RunningDaemon): readonly { readonly at: number; readonly took: number }[] =>
  [...daemon.output().matchAll(/^(\S+Z) debug .* bytes,? .*?([\d.]+) ms$/gm)].map(([, at = '', took = '']) => ({
    at: Date.parse(at),
    took: Number(took),
  }));

export interface Stage {
  readonly libvirtd: PrivateLibvirtd;
  /** A folder for the files of actions. */
  readonly folder: string;
  /** Starts the daemon on the private libvirtd; it is stopped after the test. */
  readonly run: (
    metrics: string,
    options?: {
      readonly period?: number;
      /** Content of `<globals>` after `<transport>vbd</transport>`. */
      readonly globals?: string;
      readonly uri?: string;
      readonly args?: readonly string[];
      readonly ready?: boolean;
      readonly env?: Readonly<Record<string, string>>;
    },
  ) => Promise<{ readonly daemon: RunningDaemon; readonly disk: string; readonly config: string }>;
}

/**
 * Provides a private libvirtd for the tests of a file. After each test it stops the daemon, and destroys all domains
 * unless `keepDomains`.
 */
export const libvirtStage = ({ keepDomains = false } = {}): (() => Stage) => {
  let libvirtd: PrivateLibvirtd | undefined;
  let folder = '';
  const left: (() => Promise<unknown> | void)[] = [];
  beforeAll(async () => {
    libvirtd = await startLibvirtd();
    folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-stage-'));
  });
  afterEach(async () => {
    for (const undo of left.splice(0).reverse()) await undo();
    if (keepDomains) return;
    const running = (await libvirtd?.virsh('list', '--uuid')) ?? '';
    const uuids = running.split('\n').filter(Boolean);
    // In parallel: each takes 2 s if the machine's first process is slow to reap QEMU.
    await Promise.all(uuids.map(async (uuid) => await libvirtd?.destroy(uuid)));
  });
  afterAll(async () => {
    await libvirtd?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return () => {
    if (libvirtd === undefined) throw new Error('the stage is used in tests only');
    const { uri } = libvirtd;
    return {
      libvirtd,
      folder,
      run: async (metrics, options = {}) => {
        const files: Scratch = scratch(metrics, { period: options.period ?? 1, globals: options.globals ?? '' });
        left.push(files.remove);
        const args = ['-f', files.config, '-c', options.uri ?? uri, ...(options.args ?? [])];
        const daemon = await startDaemon(args, { ready: options.ready ?? true, env: options.env ?? {} });
        left.push(async () => {
          if (daemon.child.exitCode === null && daemon.child.signalCode === null)
            await daemon.stop().catch(async () => await daemon.stop('SIGKILL'));
        });
        return { daemon, disk: files.disk, config: files.config };
      },
    };
  };
};
