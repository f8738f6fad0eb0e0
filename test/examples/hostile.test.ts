import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { action, counting } from '../integration/libvirt-stage.ts';
import { stage } from '../integration/process-stage.ts';
import { hasDocument, PROGRAM, type RunningDaemon, until, valueOf } from '../support/daemon.ts';
import { sinkElement } from './example.ts';
import { PATIENCE } from '../support/patience.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/sinks/${name}.js`, import.meta.url));
const { place, start } = stage();

// There is no libvirt: the host's metrics are enough.
const NO_LIBVIRT = ['-c', 'test:///nowhere'];

/** Writes a configuration with a module for each kind of bad behaviour, and a metric that counts the ticks. */
const prepared = (ways: readonly string[]) => {
  const scratch = place('');
  copyFileSync(fixture('hostile'), path.join(scratch.directory, 'hostile.js'));
  const modules = ways.map((way, index) => {
    const file = path.join(scratch.directory, `way${index}.js`);
    writeFileSync(file, `import { hostile } from './hostile.js';\nexport default hostile(${JSON.stringify(way)});\n`);
    return sinkElement(`./way${index}.js`);
  });
  const count = path.join(scratch.directory, 'count');
  const { directory, disk, config } = scratch;
  writeFileSync(
    config,
    `<vhostmd><globals><disk><name>d</name><path>${disk}</path><size unit="k">256</size></disk>` +
      `<update_period>1</update_period><path>/usr/bin:/bin</path><transport>vbd</transport>${modules.join('')}</globals>` +
      `<metrics>${action('host', 'Count', counting(count))}</metrics></vhostmd>\n`,
  );
  const ticks = async (): Promise<number> => Number((await valueOf(disk, 'Count')) ?? 0);
  return { config, disk, directory, ticks };
};

const withWays = async (ways: readonly string[], args: readonly string[] = ['-v']) => {
  const files = prepared(ways);
  return { ...files, daemon: await start([...NO_LIBVIRT, ...args, '-f', files.config]) };
};

const linesOf = (daemon: RunningDaemon, name: string): readonly string[] =>
  daemon
    .output()
    .split('\n')
    .filter((line) => line.includes(` ${name}: `) && !/^\S+ debug /.test(line))
    .map((line) => line.replace(/^\S+ /, ''));

const { ways } = (await import(fixture('hostile'))) as { readonly ways: readonly string[] };

const LATER = ['throws later', 'rejects later'];
const LOUD = [
  'returns a promise',
  'fails differently each time',
  'fails at every snapshot',
  'fails in turns',
  'reports garbage',
  'reports what is huge',
  'reports what steers terminals',
  'warns at every snapshot',
  'warns without end',
  'is no observable of ours',
];
const QUIET = ways.filter((way) => ![...LATER, ...LOUD, 'prints without end'].includes(way));

// The text of the one line that each logs; kinds without a visible fault log none.
const SAID: Readonly<Record<string, string>> = {
  'run throws': 'thrown by run',
  'returns nothing': "You provided 'undefined' where a stream was expected",
  'returns a number': "You provided '7' where a stream was expected",
  'rejects a promise': 'rejected',
  'completes at once': 'The sink completed unexpectedly',
  'fails at once': 'failed at once',
  'fails with a symbol': 'Symbol(why)',
  'fails with nothing': 'undefined',
  'reports what throws': 'thrown by a getter',
  'reports what has no text': 'thrown by toString',
  'changes the snapshot': 'Cannot assign to read only property',
  'empties the snapshot': 'Cannot assign to read only property',
};

describe('a module that behaves badly', () => {
  it('does not keep the others from publishing, and its fault is logged once and clearly', async () => {
    const { daemon, ticks } = await withWays(QUIET);
    const before = await ticks();
    await until('eight ticks', async () => (await ticks()) >= before + 8, 20_000);
    for (const [way, text] of Object.entries(SAID)) {
      expect(linesOf(daemon, way), way).toHaveLength(1);
      expect(linesOf(daemon, way)[0]).toContain(`err     ${way}: ${text}`);
    }
    for (const way of ['never ends a write', 'throws in its end']) expect(linesOf(daemon, way), way).toEqual([]);
    expect(daemon.output()).not.toContain('spoilt');
  });

  it('does not keep the others from publishing, and its reports cannot break the log', async () => {
    const { daemon, ticks } = await withWays(LOUD, []);
    const before = await ticks();
    await until('four ticks', async () => (await ticks()) >= before + 4, 20_000);
    expect(daemon.output()).toMatch(/^[\n -~]+$/);
    expect(
      Math.max(
        ...daemon
          .output()
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThan(1000 * PATIENCE);
    expect(linesOf(daemon, 'reports what steers terminals')[0]).toContain('\\u{1b}[2J\\nerr daemon: Stopped\\u{202e}');
    expect(linesOf(daemon, 'reports garbage')[0]).toContain('The sink emitted an invalid report');
  });

  it('does not fill the log, whatever it reports', async () => {
    const { daemon, ticks } = await withWays(LOUD, []);
    const before = await ticks();
    await until('ten ticks', async () => (await ticks()) >= before + 10, 20_000);
    const many = LOUD.map((way) => [way, linesOf(daemon, way).length] as const).filter(([, count]) => count > 5);
    expect(many).toEqual([]);
  });

  it('does not keep the daemon from ending', async () => {
    const { daemon } = await withWays(['throws in its end']);
    expect((await daemon.stop()).code).toBe(0);
    expect(daemon.output()).not.toContain('by a bug');
  });

  it.each([
    ['throws-later', 'thrown by a timer'],
    ['rejects-later', 'rejected by nobody'],
  ])('does not end the daemon when it %s outside of its stream, and is named once', async (name, text) => {
    const { config, daemon, ticks } = await withWays([], []);
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace('</globals>', `${sinkElement(fixture(name))}</globals>`),
    );
    daemon.child.kill('SIGHUP');
    await daemon.printed(text);
    const before = await ticks();
    await until('three ticks', async () => (await ticks()) >= before + 3);
    expect(daemon.output().split(text)).toHaveLength(2);
    expect(daemon.output()).toContain(`${name}.js`);
  });

  it.each(LATER)('does not end the daemon when a file beside it %s', async (way) => {
    const { daemon, ticks } = await withWays([way]);
    const before = await ticks();
    await until('three ticks', async () => (await ticks()) >= before + 3, 5000);
    expect(daemon.output()).not.toContain('by a bug');
  });

  it('may print any text', async () => {
    const { config, disk, ticks } = prepared(['prints without end']);
    const daemon = spawn(process.execPath, [PROGRAM, '-d', ...NO_LIBVIRT, '-f', config], { stdio: 'ignore' });
    try {
      await until('the disk', async () => await hasDocument(disk));
      await until('a gigabyte', async () => (await ticks().catch(() => 0)) >= 10, 30_000);
    } finally {
      daemon.kill();
    }
    expect(await once(daemon, 'exit')).toEqual([0, null]);
  });
});

describe('a module that is no sink', () => {
  const NONE = {
    'throws-when-loaded': 'fails when it is loaded: no such licence',
    'imports-what-is-not-there': "fails when it is loaded: Cannot find package 'no-such-package'",
    'no-default': 'has no default export; it must be what defineSink returns',
    'a-function': 'must be what defineSink returns',
    'wrong-shape': 'is no sink: its default export must be what defineSink returns, with a name, options and make',
    'wrong-options': 'its option "n" has no type, which is one of text, integer, seconds, boolean, choice',
    'api-2': 'was written for interface 2 of sinks, and this version has 1; look for another version of it',
    'make-throws': 'cannot be made of these options: not with me',
    'not-there': 'cannot be found: there is no ',
  } as const;

  const refused = async (names: readonly string[]) => {
    const { config } = place('', { globals: names.map((name) => `\n${sinkElement(fixture(name))}`).join('') });
    const daemon = await start([...NO_LIBVIRT, '-f', config], { ready: false });
    await until('the end of the daemon', () => daemon.child.exitCode !== null, 20_000);
    return daemon;
  };

  it('stops the start with its place in the configuration and its fault, for all modules at once', async () => {
    const daemon = await refused(Object.keys(NONE));
    expect(daemon.child.exitCode).toBe(2);
    for (const [index, [name, text]] of Object.entries(NONE).entries()) {
      const line = daemon
        .output()
        .split('\n')
        .find((one) => one.includes(`/${name}.js" `));
      expect(line, name).toContain(`vhostmd.conf:${index + 2}:1: Sink module "${fixture(name)}" `);
      expect(line, name).toContain(text);
    }
  });

  it('is given up after ten seconds if it loads for ever', async () => {
    const daemon = await refused(['loads-for-ever']);
    expect(daemon.output()).toContain('does not load within 10 s: does it await something at its top level?');
    expect(daemon.child.exitCode).toBe(2);
  });

  it('stops the start if it makes nothing', async () => {
    const daemon = await refused(['make-returns-nothing', 'api-2']);
    expect(daemon.output()).toContain('make-returns-nothing.js" is no sink: its make returns no run');
  });

  const MENDED = [
    ['throws', "throw new Error('no such licence');", 'no such licence'],
    ['is no JavaScript', 'export default {{;', "Unexpected token '{'"],
    ['imports what is not there', "import 'no-such-package';", "Cannot find package 'no-such-package'"],
  ] as const;

  /** Starts a daemon and reloads it with a further module that has this code. */
  const reloadedWith = async (code: string) => {
    const running = await withWays(['never ends a write']);
    const { config, directory, daemon } = running;
    const file = path.join(directory, 'new.js');
    writeFileSync(file, code);
    writeFileSync(config, readFileSync(config, 'utf8').replace('</globals>', '<sink module="./new.js"/></globals>'));
    daemon.child.kill('SIGHUP');
    await daemon.printed('Not reloaded: the former configuration stays in force');
    return { ...running, file };
  };

  it.each(MENDED)('leaves the running setup in force when it comes with a reload and %s', async (_what, code, text) => {
    const { daemon, ticks } = await reloadedWith(code);
    const before = await ticks();
    expect(daemon.output()).toContain(`Sink module "./new.js" fails when it is loaded: ${text}`);
    await until('two ticks', async () => (await ticks()) >= before + 2);
  });

  it.each(MENDED)('is loaded by a later reload once it is mended, where it %s', async (_what, code) => {
    const { daemon, directory, file } = await reloadedWith(code);
    const way = readFileSync(path.join(directory, 'way0.js'), 'utf8');
    writeFileSync(file, way.replace('never ends a write', 'fails at once'));
    daemon.child.kill('SIGHUP');
    await daemon.printed('fails at once: failed at once', 5000);
  });
});
