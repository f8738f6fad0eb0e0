// Runs the shell commands of the documentation, from the first page to the last, in the working directory:
//   docs-commands.mjs NAME PLACE...   runs the blocks marked with one of the places: `<!-- run as root -->`
//   docs-commands.mjs --check         runs nothing; fails if a block has neither a mark nor a reason in italics
// Prints a line for each command and `N passed, N failed` at the end.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const PLACES = ['as anybody', 'as root', 'under systemd'];
// In reading order. test/examples/guide.test.ts runs the blocks of docs/write-a-sink.md, which have another format.
const FIRST = ['README.md', 'docs/service.md', 'docs/guests.md'];
const others = ['.', 'docs', 'examples', 'marbles'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => (folder === '.' ? name : `${folder}/${name}`)),
);
const PAGES = [...new Set([...FIRST, ...others])];
// Commands that must succeed after a page.
const AFTERWARDS = {
  'docs/service.md': ['systemctl is-active vhostmd', 'vhostmd dump /dev/shm/vhostmd0', 'vhostmd status || [ $? = 1 ]'],
};
// Milliseconds; a first installation on a busy machine takes minutes.
const PATIENCE = 600_000;

/** Returns the fenced blocks of shell commands, with the mark before and the reason after each. */
export const blocksOf = (text) =>
  [...text.matchAll(/(?:^<!-- run (.*) -->\n)?^```(?:sh|bash|shell)\n([\s\S]*?)^```\n+(?:^\*([^*]+)\*$)?/gm)].map(
    ({ 1: place, 2: body, 3: reason, index, 0: whole }) => ({
      place,
      reason,
      line: text.slice(0, index + whole.indexOf('```')).split('\n').length + 1,
      commands: body.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    }),
  );

/** Returns what is wrong with the marks of a block, or undefined. */
export const wrongWith = ({ place, reason }) => {
  if (place === undefined && reason === undefined)
    return 'is neither marked with where to run it nor followed by a reason';
  if (place !== undefined && !PLACES.includes(place))
    return `is to be run "${place}": only ${PLACES.join(', ')} are known`;
  return undefined;
};

const blocks = () => PAGES.flatMap((page) => blocksOf(readFileSync(page, 'utf8')).map((block) => ({ page, ...block })));

/**
 * Starts a command in its own process group; `ended` resolves to its exit status, `until` to whether its state passes a
 * test.
 */
const start = (command) => {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const state = { output: '', code: undefined };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (state.output += data));
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve((state.code = code ?? signal))));
  const until = async (holds) => {
    const end = performance.now() + PATIENCE;
    while (!holds(state) && state.code === undefined && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return holds(state);
  };
  const signal = (name) => {
    try {
      process.kill(-(child.pid ?? Number.NaN), name);
    } catch {
      // The process has ended.
    }
  };
  return { state, ended, until, signal };
};

const main = async (name, places) => {
  let passed = 0;
  let failed = 0;
  const result = (what, ok, output = '') => {
    if (ok) passed++;
    else failed++;
    console.log(`${ok ? 'passed' : 'FAILED'}: ${name}: ${what}`);
    if (!ok) console.log(output.split('\n').slice(-40).join('\n'));
  };
  const interrupted = async (what, running, ok) => {
    running.signal('SIGINT');
    const timer = setTimeout(() => running.signal('SIGKILL'), 20_000);
    await running.ended;
    clearTimeout(timer);
    result(what, ok, running.state.output);
  };
  const run = async (what, command) => {
    const running = start(command);
    const ends = !/ watch( |$)/.test(command);
    // A table that is refreshed until Ctrl-C.
    if (!ends) return await interrupted(what, running, await running.until(({ output }) => /\n.*\n/.test(output)));
    const timer = setTimeout(() => running.signal('SIGKILL'), PATIENCE);
    await running.ended;
    clearTimeout(timer);
    result(what, running.state.code === 0, running.state.output);
  };

  let daemon;
  const endDaemon = async () => {
    if (daemon === undefined) return;
    const { what, running } = daemon;
    daemon = undefined;
    await interrupted(`${what}, until Ctrl-C`, running, running.state.code === undefined);
  };
  for (const page of PAGES) {
    for (const { place, reason, line, commands } of blocks().filter((block) => block.page === page)) {
      for (const command of commands) {
        const what = `${page}:${line}: ${command.replace(/\s+# .*/, '')}`;
        if (place === undefined || !places.includes(place)) {
          console.log(`not run: ${name}: ${what}: ${reason ?? `only ${place}`}`);
        } else if (command.startsWith('npm start')) {
          // It runs on while the next block runs, as in another terminal.
          const running = start(command);
          const ready = await running.until(({ output }) => output.includes('Ready: '));
          if (ready) daemon = { what, running };
          else await interrupted(what, running, false);
          continue;
        } else await run(what, command);
      }
      if (!commands.some((command) => command.startsWith('npm start'))) await endDaemon();
    }
    if (places.includes('under systemd'))
      for (const command of AFTERWARDS[page] ?? []) await run(`after ${page}: ${command}`, command);
  }
  await endDaemon();
  if (passed + failed === 0) failed++;
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
};

if (process.argv[1] === import.meta.filename) {
  const [name, ...places] = process.argv.slice(2);
  if (name === '--check') {
    const wrong = blocks().flatMap((block) => {
      const what = wrongWith(block);
      return what === undefined ? [] : [`${block.page}:${block.line}: this block ${what}`];
    });
    for (const line of wrong) console.error(line);
    process.exitCode = wrong.length === 0 ? 0 : 1;
  } else await main(name, places);
}
