/** Signals that stop a command. By default some of them would end it without a clean-up (signal(7)). */
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGXCPU', 'SIGPWR'] as const;

/** Also SIGHUP, for commands that belong to a terminal. For the daemon SIGHUP means to reload. */
export const TERMINAL_SIGNALS = [...STOP_SIGNALS, 'SIGHUP'] as const;

/**
 * Signals without a meaning here that would end the process. debugger.cts handles SIGUSR1. Signals of errors (SIGABRT,
 * SIGSEGV) keep their effect, which systemd's watchdog needs.
 */
const MEANINGLESS = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGUSR2', 'SIGIO', 'SIGSTKFLT'] as const;

const nothing = (): void => undefined;

/** Ignores signals that have no meaning here. */
export const ignoreMeaningless = (): void => {
  for (const signal of MEANINGLESS) process.on(signal, nothing);
};

/** Like `ignoreMeaningless`, and ignores SIGHUP until the daemon can reload. */
export const settleSignals = (): void => {
  ignoreMeaningless();
  process.on('SIGHUP', nothing);
};
