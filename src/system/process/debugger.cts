// Keeps Node's debugger closed: any local user could run code as this process through it. vhostmd.cts loads this first.
const { writeSync } = require('node:fs') as typeof import('node:fs');

// With a listener the signal no longer opens the debugger. The daemon replaces it: SIGUSR1 logs the status.
process.on('SIGUSR1', () => undefined);

// Milliseconds for a debugger client to let go, so that it cannot block the start forever.
const PATIENCE = 5000;
// Node opens the debugger on another thread, so a signal from before the listener may take effect later.
const LOOK_AGAIN = 100;
const LOOK_FOR = 2000;

const WARNING = `vhostmd: Node's debugger was open, and any local user could have run code as this process. It is closed now.
Start vhostmd without --inspect, in NODE_OPTIONS as well, and send it no SIGUSR1 while it starts.
`;

const closeDebugger = (): void => {
  const { close, url } = require('node:inspector') as typeof import('node:inspector');
  if (url() === undefined) return;
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  // close() blocks this thread until a connected client has answered.
  const guard = new Worker(`setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${PATIENCE})`, { eval: true });
  close();
  void guard.terminate();
  try {
    writeSync(process.stderr.fd, WARNING);
  } catch {
    // stderr is closed.
  }
};

if (process.features.inspector) {
  closeDebugger();
  const looking = setInterval(closeDebugger, LOOK_AGAIN).unref();
  setTimeout(() => clearInterval(looking), LOOK_FOR).unref();
}

// Options are removed, so that the detached child and actions that run Node do not open it either.
const INSPECT = /^--(inspect([-_=]|$)|debug[-_]port)/;
const HAS_VALUE = /^--(inspect[-_]port|debug[-_]port|inspect[-_]publish[-_]uid)$/;
const withoutDebugger = (options: readonly string[]): string[] =>
  options.filter((option, index) => !INSPECT.test(option) && !HAS_VALUE.test(options[index - 1] ?? ''));

const { NODE_OPTIONS } = process.env;
if (NODE_OPTIONS !== undefined) process.env['NODE_OPTIONS'] = withoutDebugger(NODE_OPTIONS.split(' ')).join(' ');
process.execArgv = withoutDebugger(process.execArgv);
// Node 22.14 and later have an option that disables the signal.
if (process.allowedNodeEnvironmentFlags.has('--disable-sigusr1')) process.execArgv.push('--disable-sigusr1');
