/** Signals that end a command; by default some of them would end it with no time to clean up (signal(7)). */
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGXCPU', 'SIGPWR'] as const;

/** Of a command that belongs to a terminal, its end as well; for the daemon SIGHUP means to reload. */
export const TERMINAL_SIGNALS = [...STOP_SIGNALS, 'SIGHUP'] as const;

/**
 * Signals that mean nothing here and would end the process. SIGUSR1 is settled in debugger.cts. Signals of errors of the
 * process itself (SIGABRT, SIGSEGV and the like) keep their meaning, as systemd's watchdog needs it.
 */
const MEANINGLESS = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGUSR2', 'SIGIO', 'SIGSTKFLT'] as const;

const nothing = (): void => undefined;

/** Goes on at signals that mean nothing to it. */
export const ignoreMeaningless = (): void => {
  for (const signal of MEANINGLESS) process.on(signal, nothing);
};

/** As `ignoreMeaningless`; what asks for a reload before anybody can reload is ignored as well. */
export const settleSignals = (): void => {
  ignoreMeaningless();
  process.on('SIGHUP', nothing);
};
