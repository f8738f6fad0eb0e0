import { datagrams, type Sent } from './datagram.ts';

/** What the service manager (systemd, or whatever speaks sd_notify(3)) is told. Where there is none nothing happens. */
export interface Notifications {
  /** The start, or a reload, is done. */
  readonly ready: () => void;
  readonly reloading: () => void;
  readonly stopping: () => void;
  /** One line for `systemctl status`; of any text. */
  readonly status: (text: string) => void;
  /** A sign of life. */
  readonly watchdog: () => void;
  /** Milliseconds from one sign of life to the next, half of what is allowed; missing if none is expected. */
  readonly watchdogInterval?: number;
}

// A manager that is busy, with a `systemctl daemon-reload` say, does not read: milliseconds until it is tried again.
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

// systemd gives microseconds, and says for which process they are meant (sd_watchdog_enabled(3)).
const intervalOf = ({ WATCHDOG_USEC: given, WATCHDOG_PID: pid = String(process.pid) }: Environment) => {
  const ms = Number(given) / 2000;
  return pid === String(process.pid) && ms >= 1 ? { watchdogInterval: ms } : {};
};

/**
 * Speaks to the service manager that the environment names, and takes its variables out of the environment: programs
 * that the daemon starts must not speak for it. `warn` is told once that the manager cannot be reached.
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
    if (!warned) warn(`systemd is not told how the service is: NOTIFY_SOCKET ${printable(socket)}: ${reason}`);
    warned = true;
  };
  // In order; what has been sent in vain because the manager does not read.
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
    // Of what waits only the newest status and sign of life are of use.
    const kind = [STATUS, WATCHDOG].find((start) => message.startsWith(start));
    left = [...left.filter((other) => kind === undefined || !other.startsWith(kind)), message];
    if (timer === undefined) flush();
  };
  return {
    ready: () => tell('READY=1'),
    // The time tells this reload from one that systemd asks for later (sd_notify(3)).
    reloading: () => tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
    status: (text) => tell(`${STATUS}${printable(text)}`),
    watchdog: () => tell(WATCHDOG),
    ...interval,
  };
};
