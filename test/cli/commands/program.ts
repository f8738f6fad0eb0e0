import { spawnSync } from 'node:child_process';

import { PROGRAM } from '../../support/daemon.ts';
import { PATIENCE } from '../../support/patience.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program until it ends. */
export const vhostmd = (
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Ended => {
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 50_000 * PATIENCE,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 28,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  if (error !== undefined) throw error;
  return { code: status, signal, stdout, stderr };
};

/** Arguments for libvirt's embedded driver, which has one domain, `test`. */
export const TEST_URI = ['-c', 'test:///default'] as const;

export const HOST = '<metric type="string" context="host"><name>HostName</name><stat>host.hostname</stat></metric>';
export const VCPUS = '<metric type="uint32" context="vm"><name>Vcpus</name><stat>vcpu.current</stat></metric>';

export const action = (name: string, command: string, { type = 'string', context = 'host', more = '' } = {}): string =>
  `<metric type="${type}" context="${context}" ${more}><name>${name}</name><action><![CDATA[${command}]]></action></metric>`;
