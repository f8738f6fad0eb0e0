import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PROGRAM, until } from '../support/daemon.ts';
import { type Block, blocks, commandsOf, isShown } from './guide.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

// A folder for the guide, with vhostmd as a program, and as npm would install it.
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-sinks-'));
  mkdirSync(path.join(folder, 'bin'));
  const program = path.join(folder, 'bin/vhostmd');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@" \${LIBVIRT}\n`);
  chmodSync(program, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Replaces the guide's folder in /tmp by the test's.
const here = (text: string): string => text.replaceAll('/tmp/vhostmd-guide', path.join(folder, 'guide'));

const installPackages = (): void => {
  mkdirSync(path.join(folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules/.bin/tsc'), path.join(folder, 'node_modules/.bin/tsc'));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(ROOT, path.join(folder, 'node_modules/vhostmd'));
  symlinkSync(path.join(ROOT, 'node_modules/rxjs'), path.join(folder, 'node_modules/rxjs'));
};

const writeBlock = ({ language, text, line }: Block): void => {
  const [first = '', ...rest] = text.split('\n');
  if (first === '<!-- in vhostmd.conf -->') {
    const file = path.join(folder, 'vhostmd.conf');
    const sink = rest
      .map((row) => (row === '' ? '' : `    ${row}`))
      .join('\n')
      .trim();
    writeFileSync(file, readFileSync(file, 'utf8').replace(/<sink [^]*(\/>|<\/sink>)(?=\s*<\/globals>)/, here(sink)));
    return;
  }
  const [, name] = /^(?:\/\/|<!--) ([\w.]+)(?: -->)?$/.exec(first) ?? [];
  if (name === undefined) throw new Error(`line ${line}: the ${language} block does not say its file`);
  writeFileSync(path.join(folder, name), here(text));
};

/** Runs a command until it ends; the daemon until it has printed these lines. */
const run = async (command: string, shows: readonly string[]): Promise<void> => {
  const endless = command.startsWith('vhostmd -d');
  const child = spawn('sh', ['-c', here(endless ? `exec ${command}` : command)], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${folder}/bin:${process.env['PATH']}`,
      LIBVIRT: endless ? '-c test:///nowhere' : '',
      // Not the settings of Vitest. Node's own runner prints as on a terminal.
      NODE_OPTIONS: '--test-reporter=spec',
      NODE_TEST_CONTEXT: undefined,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  let ended = false;
  child.once('close', () => (ended = true));
  const holds = (): boolean => isShown(shows.map(here), output);
  try {
    await until(`\`${command}\` shows its output`, () => (ended || endless) && (holds() || ended), 20_000).catch(
      () => undefined,
    );
    if (!holds()) expect(output, command).toBe(shows.map(here).join('\n'));
  } finally {
    if (!ended) child.kill('SIGINT');
    await until('the end of the command', () => ended);
  }
};

describe('the guide to a sink of one’s own', () => {
  it('CASE E11: installs the package from a file, never by a name that anybody may take in the registry', () => {
    const guide = blocks()
      .map(({ text }) => text)
      .join('\n');
    const installed = [...guide.matchAll(/npm install (.*)$/gm)].flatMap(([, packages = '']) => packages.split(' '));
    expect(installed).toContain('/path/to/clone/vhostmd-*.tgz');
    expect(installed).not.toContain('vhostmd');
  });

  it('CASE E11: has a sink of numbers over UDP and one in TypeScript', () => {
    const all = blocks();
    expect(all.filter(({ language }) => language === 'ts')).toHaveLength(1);
    expect(all.filter(({ text }) => text.includes('UNRELIABLE'))).toHaveLength(1);
  });

  it('works as it is written, from its first block to its last', async () => {
    const all = blocks();
    expect(all.length).toBeGreaterThan(10);
    for (const block of all) {
      if (block.language === 'console') {
        for (const { command, shows } of commandsOf(block)) await run(command, shows);
      } else if (block.language !== '') writeBlock(block);
      else if (block.text.includes('npm install')) installPackages();
    }
  });

  it('would be seen to be wrong: a line that is not shown, or out of order', () => {
    expect(isShown(['a', '...', 'c ... e'], 'a\nb\nc d e\n')).toBe(true);
    expect(isShown(['a', 'c ... e'], 'a\nb\nc d e\n')).toBe(false);
    expect(isShown(['c d e', '...', 'a'], 'a\nb\nc d e\n')).toBe(false);
    expect(isShown(['...', 'c.d.e'], 'a\nb\nc d e\n')).toBe(false);
  });
});
