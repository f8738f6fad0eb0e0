import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { AS_DAEMON } from '../support/as-daemon.ts';
import { until } from '../support/daemon.ts';
import type { Inside, Order, Said } from './programs/accelerated.ts';

/** A daemon with a shorter period, in its own process. */
export interface Accelerated {
  readonly pid: number;
  readonly ticks: () => number;
  readonly reloads: () => number;
  /** Returns failed reports and errors of the log. */
  readonly failures: () => readonly string[];
  /** Does not wait until the configuration is in force, unlike `change`. */
  readonly reload: (file: string) => void;
  readonly change: (file: string) => Promise<void>;
  readonly measure: (collect: boolean) => Promise<Inside>;
  /** Returns the exit code. */
  readonly stop: () => Promise<number | null>;
}

export interface AcceleratedOptions {
  /** Leaks on purpose. */
  readonly leak?: boolean;
  /** Options of Node. */
  readonly flags?: readonly string[];
}

// Compiled before, like the daemon, because the process cannot load TypeScript.
const COMPILED = fileURLToPath(new URL('../../.cache/soak/', import.meta.url));
const inCompiled = (file: string): string =>
  import.meta.url.endsWith('.ts') ? `${COMPILED}${file}` : fileURLToPath(new URL(`../../${file}`, import.meta.url));

export const startAccelerated = (
  file: string,
  uri: string,
  period: number,
  { leak = false, flags = [] }: AcceleratedOptions = {},
): Accelerated => {
  const child = fork(
    inCompiled('test/soak/programs/accelerated.js'),
    [file, uri, String(period), ...(leak ? ['leak'] : [])],
    {
      execArgv: ['--expose-gc', ...AS_DAEMON, ...flags, '--require', inCompiled('src/bootstrap.cjs')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  let ended: { readonly code: number | null } | undefined;
  let stopping = false;
  let [ticks, reloads, leads] = [0, 0, ''];
  const failures: string[] = [];
  const waiting: ((inside: Inside) => void)[] = [];
  child.once('exit', (code) => {
    ended = { code };
    if (!stopping) failures.push(`it ended with ${code}`);
  });
  child.on('message', (said: Said) => {
    if (said.kind === 'tick') ticks = said.ticks;
    else if (said.kind === 'leads') [leads, reloads] = [said.file, reloads + 1];
    else if (said.kind === 'failed') failures.push(said.message);
    else waiting.shift()?.(said.inside);
  });
  const tell = (order: Order): void => {
    if (ended !== undefined) throw new Error(`the daemon has ended with ${ended.code}`);
    child.send(order);
  };
  const reload = (to: string): void => tell({ kind: 'reload', file: to });
  return {
    pid: child.pid ?? 0,
    ticks: () => ticks,
    reloads: () => reloads,
    failures: () => failures,
    reload,
    change: async (to) => {
      reload(to);
      await until(`${to} is in force`, () => leads === to, 30_000);
    },
    measure: async (collect) => {
      tell({ kind: 'measure', collect });
      return await new Promise((resolve) => waiting.push(resolve));
    },
    stop: async () => {
      stopping = true;
      if (ended === undefined) child.send({ kind: 'stop' } satisfies Order);
      await until('the daemon has ended', () => ended !== undefined).catch(() => child.kill('SIGKILL'));
      return ended?.code ?? null;
    },
  };
};
