import { existsSync } from 'node:fs';
import { constants } from 'node:os';

import {
  filter,
  firstValueFrom,
  fromEvent,
  lastValueFrom,
  map,
  merge,
  NEVER,
  share,
  take,
  takeUntil,
  tap,
  type Observable,
} from 'rxjs';

import { DEFAULT_CONFIG } from '../command.ts';
import { formatDiagnostic, type Config } from '../../config/config.ts';
import { readConfig } from '../../config/parse.ts';
import { monotonicScheduler } from '../../system/monotonic.ts';
import { ignoreMeaningless, TERMINAL_SIGNALS } from '../../system/process/signals.ts';
import { reasonOf } from '../../model/reason.ts';
import { failure, type Result, success } from '../../model/result.ts';
import { escapeForLog } from '../../model/value.ts';
import { complain } from '../../system/safe-output.ts';
import { ask$ } from '../../client/status-request.ts';
import { socketPaths } from '../../daemon/status/socket.ts';
import { parsedStatus } from '../../daemon/status/status.ts';
import { followDaemon$ } from '../../client/follow-daemon.ts';
import { disk$, diskReader } from '../../client/follow-disk.ts';
import { meanings } from '../watch/metric-semantics.ts';
import { printed$ } from '../watch/plain-output.ts';
import { drawn$, key$, size$, type Owner } from '../watch/terminal.ts';
import type { Sort } from '../watch/view.ts';
import { frame$, type Watched } from '../watch/frames.ts';

/** Options of `vhostmd watch`. */
export interface WatchOptions {
  /** Default: the running daemon, or the disk of the configuration. */
  readonly disk: string | undefined;
  readonly socket: string | undefined;
  readonly config: string;
  readonly sort: Sort;
  /** Number of plain tables; without it no end, and in a terminal a screen. */
  readonly count: number | undefined;
}

const DEFAULT_DISK = '/dev/shm/vhostmd0';
/** Milliseconds between two reads of the disk's header. */
const POLL = 200;

/** The watched source, and the sockets of the daemon that writes it. */
interface Source extends Pick<Watched, 'path' | 'disk$'> {
  readonly paths: readonly string[];
  /** The disk, if the source is not the daemon itself. */
  readonly file?: string;
}

type Found = Result<{ readonly source: Source; readonly config?: Config }, readonly string[]>;

const ofDisk = (path: string, paths: readonly string[]): Source => ({
  path,
  paths,
  file: path,
  disk$: disk$(diskReader(path), POLL, monotonicScheduler),
});
const ofDaemon = (paths: readonly string[]): Source => ({
  path: paths.join(' or '),
  paths,
  disk$: followDaemon$(paths, monotonicScheduler),
});

// A guest has no configuration; on a host it has the period and the meaning of metrics.
const findSource = async ({ disk, socket, config: file }: WatchOptions): Promise<Found> => {
  const usual = file === DEFAULT_CONFIG;
  const paths = socket === undefined ? socketPaths(process.env, process.getuid?.()) : [socket];
  // The running daemon may not use this configuration, unless it is the default one.
  const asked = socket !== undefined || (usual && disk === undefined && (await firstValueFrom(ask$(paths))).ok);
  const from = (path: string): Source => (asked ? ofDaemon(paths) : ofDisk(path, paths));
  if (usual && !existsSync(file)) return success({ source: from(disk ?? DEFAULT_DISK) });
  const result = readConfig(file);
  if (result.ok) {
    const config = result.value;
    const path = disk ?? config.disk?.path;
    return success({ source: path === undefined ? ofDaemon(paths) : from(path), config });
  }
  if (usual && (asked || disk !== undefined)) return success({ source: from(disk ?? DEFAULT_DISK) });
  return failure(result.error.map(formatDiagnostic));
};

// Exit status of a process that a signal ends.
const codeOf = (signal: (typeof TERMINAL_SIGNALS)[number]): number => 128 + constants.signals[signal];

const signal$ = (): Observable<number> =>
  merge(...TERMINAL_SIGNALS.map((signal) => fromEvent(process, signal).pipe(map(() => codeOf(signal)))));

// The reader of the output, or the terminal, may be closed.
const gone$ = (): Observable<number> => fromEvent(process.stdout, 'error').pipe(map(() => 0));

const isUnicode = (): boolean => {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '') ?? '');
};

const owner: Owner = {
  on: (event, listener) => process.on(event, listener),
  off: (event, listener) => process.off(event, listener),
  stop: () => process.kill(process.pid, 'SIGSTOP'),
};

// Runs a stream until it ends or `stop$` emits; resolves to the exit status.
const finished = async (work$: Observable<unknown>, stop$: Observable<number>): Promise<number> => {
  let code = 0;
  const stopped$ = stop$.pipe(
    take(1),
    tap((status) => (code = status)),
  );
  try {
    await lastValueFrom(work$.pipe(takeUntil(stopped$)), { defaultValue: undefined });
    return code;
  } catch (error) {
    console.error(`vhostmd: ${escapeForLog(reasonOf(error))}`);
    return 1;
  }
};

const onTerminal = async (watched: Watched, sort: Sort, unicode: boolean): Promise<number> => {
  const input = process.stdin.isTTY ? process.stdin : undefined;
  const pressed$ = input === undefined ? NEVER : key$(input).pipe(share());
  const toStop$ = pressed$.pipe(
    filter((key) => key === 'ctrl-c'),
    map(() => codeOf('SIGINT')),
  );
  // In raw mode the terminal does not send SIGTSTP; like the terminal, this stops the whole process group.
  const key_$ = pressed$.pipe(tap((key) => key === 'ctrl-z' && process.kill(0, 'SIGTSTP')));
  const frames$ = frame$(watched, { key$: key_$, size$: size$(process.stdout), unicode, sort });
  const left$ =
    input === undefined ? NEVER : merge(fromEvent(input, 'end'), fromEvent(input, 'error')).pipe(map(() => 0));
  return await finished(drawn$(frames$, process.stdout, input, owner), merge(toStop$, signal$(), gone$(), left$));
};

// Asks the daemon behind the source why no VM has a value. Empty if it knows none, for instance if no VM runs.
const whyNone = async ({ paths, file }: Source): Promise<readonly string[]> => {
  const answer = await firstValueFrom(ask$(paths));
  const status = answer.ok ? parsedStatus(answer.value) : undefined;
  if (status === undefined) return [];
  if (file !== undefined && !status.sinks.some(({ lastWrite }) => lastWrite?.message.startsWith(`${file}: `)))
    return [];
  const { runningDomains = 0 } = status.snapshot ?? {};
  const kinds: readonly string[] = runningDomains > 0 ? ['libvirt', 'collection', 'metric'] : ['libvirt', 'collection'];
  return status.troubles.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
};

const asText = async (watched: Watched & Source, { sort, count }: WatchOptions, unicode: boolean): Promise<number> => {
  let first = true;
  let vms = 0;
  const blocks$ = printed$(watched, { unicode, sort, ...(count === undefined ? {} : { count }) }).pipe(
    tap((printed) => {
      if (printed.kind === 'trouble') {
        complain(`vhostmd: ${printed.message}`);
        return;
      }
      process.stdout.write(first ? printed.text : `\n${printed.text}`);
      first = false;
      ({ vms } = printed);
    }),
  );
  const code = await finished(blocks$, merge(signal$(), gone$()));
  if (code !== 0 || first || vms > 0) return code;
  const reasons = await whyNone(watched);
  if (reasons.length === 0) return code;
  console.error(`vhostmd: No VM has a value: ${reasons.join('; ')}`);
  return 1;
};

/**
 * `vhostmd watch`: shows the domains of the running daemon or of a metrics disk, in a terminal as a screen, else as
 * text. Exit status 0 at its end, 1 if the source cannot be read at the start (a terminal waits for it) or has no VM
 * because libvirt is away, 2 for an invalid configuration.
 */
export const watch = async (options: WatchOptions): Promise<number> => {
  // A signal that ended the process would leave the terminal in screen mode.
  ignoreMeaningless();
  const found = await findSource(options);
  if (!found.ok) {
    for (const line of found.error) complain(line);
    return 2;
  }
  const { source, config } = found.value;
  const watched: Watched & Source = {
    ...source,
    meaningOf: meanings(config?.metrics),
    scheduler: monotonicScheduler,
    ...(config === undefined ? {} : { usual: config.updatePeriod }),
  };
  const screen = process.stdout.isTTY && options.count === undefined && process.env['TERM'] !== 'dumb';
  const unicode = isUnicode();
  return await (screen ? onTerminal(watched, options.sort, unicode) : asText(watched, options, unicode));
};
