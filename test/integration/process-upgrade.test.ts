import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, describe, expect, it } from 'vitest';

import { action, HOST, TEST_URI, VCPUS } from '../cli/commands/program.ts';
import { scratch, until, valueOf } from '../support/daemon.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PATIENCE = 30_000;
const LONG = 300_000;
const left: (() => unknown)[] = [];
afterEach(() => {
  for (const undo of left.splice(0).reverse()) undo();
});

// Starts a daemon from its own installation, without some files; `leave` removes the installation.
const installed = async (without?: RegExp) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-installed-'));
  left.push(() => rmSync(folder, { recursive: true, force: true }));
  const own = path.join(folder, 'vhostmd');
  execFileSync('mkdir', [own]);
  for (const part of ['dist', 'package.json', 'node_modules']) {
    const from = `${ROOT}${part}`;
    // Hard links are fast, but not every file system allows them.
    execFileSync('sh', ['-c', 'cp -al "$0" "$1" 2>/dev/null || cp -a "$0" "$1"', from, `${own}/`]);
  }
  const parts = path.join(own, 'dist/parts');
  const files = readdirSync(parts).filter((file) => file.endsWith('.js'));
  const code = files.map((file) => readFileSync(path.join(parts, file), 'utf8')).join('\n');
  // A part that others need at their start may have the same name.
  const isLazy = (file: string): boolean => !code.includes(`from"./${file}"`);
  for (const file of files) if (without?.test(file) === true && isLazy(file)) rmSync(path.join(parts, file));
  const { directory, disk, config, remove } = scratch(HOST, { period: 1 });
  left.push(remove);
  const program = path.join(own, 'dist/vhostmd.cjs');
  const child = spawn(process.execPath, [program, '-d', ...TEST_URI, '-f', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, RUNTIME_DIRECTORY: directory },
  });
  left.push(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.on('data', (data: Buffer) => (text += data.toString()));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  await until('the first snapshot', () => text.includes('Ready: '), PATIENCE);
  const reload = (metrics: string, globals = ''): void => {
    const was = readFileSync(config, 'utf8');
    const now = was.replace(/<metrics>.*<\/metrics>/s, () => `<metrics>${metrics}</metrics>`);
    writeFileSync(
      config,
      now.replace(/<transport>.*<\/globals>/s, () => `<transport>vbd</transport>${globals}</globals>`),
    );
    child.kill('SIGHUP');
  };
  return { child, disk, directory, output: () => text, ended, reload, leave: () => execFileSync('rm', ['-r', own]) };
};

const page = async (socketPath: string): Promise<string> =>
  await new Promise((resolve) => {
    const asked = request({ socketPath, path: '/metrics' }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString()));
      response.on('end', () => resolve(text));
    });
    asked.on('error', () => resolve(''));
    asked.end();
  });

describe('CASE F4: a daemon that runs needs no file of its installation', () => {
  it(
    'an upgrade takes its files away: reloads bring all sinks and actions, and it ends well',
    async () => {
      const { child, disk, directory, output, ended, reload, leave } = await installed();
      leave();
      const socket = path.join(directory, 'page');
      reload(
        HOST + VCPUS + action('Echo', 'echo here'),
        `<transport>virtio</transport><vm_disk><path>${directory}/UUID.private</path><size unit="k">64</size></vm_disk>` +
          `<sink type="prometheus"><option name="listen">unix:${socket}</option></sink><sink type="log"/>`,
      );
      await until('the action', async () => (await valueOf(disk, 'Echo')) === 'here', PATIENCE);
      await until('the page', async () => (await page(socket)).includes('vhostmd_'), PATIENCE);
      // Files that Node needs for an external module may be missing, so the reload is refused.
      const module = path.join(directory, 'sink.mjs');
      writeFileSync(module, 'import { defineSink } from "vhostmd";\nexport default defineSink({});\n');
      reload(HOST, `<sink module="${module}"/>`);
      await until('the refusal', () => output().includes('Not reloaded'), PATIENCE);
      reload(HOST + action('Again', 'echo again'));
      await until('the next', async () => (await valueOf(disk, 'Again')) === 'again', PATIENCE);
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      expect(output()).not.toContain('bug');
    },
    LONG,
  );

  it(
    'an upgrade takes files away before it is ready: that is said, and reloads that need them are refused',
    async () => {
      const { child, disk, output, ended, reload } = await installed(/^(actions|log)-/);
      expect(output()).toMatch(/A reload may be refused until a restart: Cannot find module .*(actions|log)-.*\.js/);
      const refused = (): number => output().split('Not reloaded').length - 1;
      const missing = (): number =>
        output().split(/A part of vhostmd cannot be loaded, restart .*: Cannot find/).length - 1;
      reload(HOST + action('Echo', 'echo here'));
      await until('one refusal', () => refused() === 1, PATIENCE);
      expect(missing()).toBe(1);
      reload(HOST, '<sink type="log"/>');
      await until('another refusal', () => refused() === 2, PATIENCE);
      expect(missing()).toBe(2);
      reload(HOST + VCPUS);
      await until('one that needs neither', () => output().includes('Reloading'), PATIENCE);
      await until('its value', async () => (await valueOf(disk, 'HostName')) !== undefined, PATIENCE);
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      expect(output()).not.toContain('bug');
    },
    LONG,
  );

  it(
    'no descriptor is left: a reload is refused, and the next one brings actions',
    async () => {
      const { child, disk, output, ended, reload } = await installed();
      const limit = (count: number): void =>
        void execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${count}:4096`]);
      // All descriptors below the limit are in use.
      limit(4);
      reload(HOST + action('Echo', 'echo here'));
      await until('the refusal', () => output().includes('Not reloaded'), PATIENCE);
      limit(1024);
      reload(HOST + action('Echo', 'echo here'));
      await until('the action', async () => (await valueOf(disk, 'Echo')) === 'here', PATIENCE);
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      expect(output()).not.toContain('bug');
    },
    LONG,
  );
});
