import { datagrams, type Sent } from './datagram.ts';

/** Messages for the service manager, by the protocol of sd_notify(3). Without a service manager they do nothing. */
export interface Notifications {
  /** The start or a reload is done. */
  readonly ready: () => void;
  readonly reloading: () => void;
  readonly stopping: () => void;
  /** Sets the line of `systemctl status`. Any text: it is escaped and truncated. */
  readonly status: (text: string) => void;
  /** Pings the watchdog. */
  readonly watchdog: () => void;
  /** Milliseconds between pings: half of the watchdog's timeout. Absent without a watchdog. */
  readonly watchdogInterval?: number;
}

// Milliseconds before a retry while the manager does not read, as during `systemctl daemon-reload`.
const AGAIN = 20;
const MOST = 400;

const STATUS = 'STATUS=';
const WATCHDOG = 'WATCHDOG=1';

const printable = (text: string): string => {
  const shown = text.replaceAll(/[^ -~]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return shown.length > MOST ? `${shown.slice(0, MOST - 3)}...` : shown;
};

const nothing = (): void => undefined;

type Environment = Record<string, string | undefined>;

// WATCHDOG_USEC is in microseconds and valid only for the process WATCHDOG_PID (sd_watchdog_enabled(3)).
const intervalOf = ({ WATCHDOG_USEC: given, WATCHDOG_PID: pid = String(process.pid) }: Environment) => {
  const ms = Number(given) / 2000;
  return pid === String(process.pid) && ms >= 1 ? { watchdogInterval: ms } : {};
};

/**
 * Connects to the service manager of the environment, and removes its variables, so that actions cannot send in the
 * daemon's name. Calls `warn` once if the manager cannot be reached.
 */
export const notifications = (environment: Environment, warn: (message: string) => void): Notifications => {
  const { NOTIFY_SOCKET: socket } = environment;
  const interval = intervalOf(environment);
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (socket === undefined || socket === '') {
    return { ready: nothing, reloading: nothing, stopping: nothing, status: nothing, watchdog: nothing };
  }

  const send = /^[/@]./.test(socket) ? datagrams(socket) : (): Sent => ({ code: 'neither an absolute path nor @NAME' });
  let warned = false;
  const warnOnce = (reason: string): void => {
    if (!warned) warn(`systemd cannot be notified: NOTIFY_SOCKET ${printable(socket)}: ${reason}`);
    warned = true;
  };
  // Messages that the manager has not read yet, in order.
  let left: readonly string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    while (left[0] !== undefined) {
      const sent = send(left[0]);
      if (sent === 'full') {
        timer = setTimeout(flush, AGAIN).unref();
        return;
      }
      left = left.slice(1);
      if (sent !== 'sent') warnOnce(sent.code);
    }
  };
  const tell = (message: string): void => {
    // Of waiting messages, only the newest status and the newest ping matter.
    const kind = [STATUS, WATCHDOG].find((start) => message.startsWith(start));
    left = [...left.filter((other) => kind === undefined || !other.startsWith(kind)), message];
    if (timer === undefined) flush();
  };
  return {
    ready: () => tell('READY=1'),
    // systemd uses the time to match a reload with its request (sd_notify(3)).
    reloading: () => tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
    status: (text) => tell(`${STATUS}${printable(text)}`),
    watchdog: () => tell(WATCHDOG),
    ...interval,
  };
};
