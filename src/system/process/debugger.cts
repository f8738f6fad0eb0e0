// Keeps Node's debugger shut: through it any local user could run code as this process. The first that vhostmd.cts loads.
const { writeSync } = require('node:fs') as typeof import('node:fs');

// With a listener of ours the signal no longer opens the debugger. `vhostmd` itself logs its status then (cli/commands/run.ts).
process.on('SIGUSR1', () => undefined);

// Of a debugger that does not let go: it must not hold up the start for ever.
const PATIENCE = 5000;
// Node opens the debugger on another thread: what was asked for before the listener was there may come a little later.
const LOOK_AGAIN = 100;
const LOOK_FOR = 2000;

const WARNING = `vhostmd: Node's debugger was open, and any local user could have run code as this process. It is closed now.
Start vhostmd without --inspect, in NODE_OPTIONS as well, and send it no SIGUSR1 while it starts.
`;

const closeDebugger = (): void => {
  const { close, url } = require('node:inspector') as typeof import('node:inspector');
  if (url() === undefined) return;
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  // close() blocks this thread until whoever is connected has answered.
  const guard = new Worker(`setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${PATIENCE})`, { eval: true });
  close();
  void guard.terminate();
  try {
    writeSync(process.stderr.fd, WARNING);
  } catch {
    // Nobody reads it.
  }
};

if (process.features.inspector) {
  closeDebugger();
  const looking = setInterval(closeDebugger, LOOK_AGAIN).unref();
  setTimeout(() => clearInterval(looking), LOOK_FOR).unref();
}

// The background half of a start, and actions that run Node, are not to open it either.
const INSPECT = /^--(inspect([-_=]|$)|debug[-_]port)/;
const HAS_VALUE = /^--(inspect[-_]port|debug[-_]port|inspect[-_]publish[-_]uid)$/;
const withoutDebugger = (options: readonly string[]): string[] =>
  options.filter((option, index) => !INSPECT.test(option) && !HAS_VALUE.test(options[index - 1] ?? ''));

const { NODE_OPTIONS } = process.env;
if (NODE_OPTIONS !== undefined) process.env['NODE_OPTIONS'] = withoutDebugger(NODE_OPTIONS.split(' ')).join(' ');
process.execArgv = withoutDebugger(process.execArgv);
// Node 22.14 and later can start without the signal's own meaning.
if (process.allowedNodeEnvironmentFlags.has('--disable-sigusr1')) process.execArgv.push('--disable-sigusr1');
