import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { parseMetrics } from '../../../src/client/read-metrics.ts';
import { PROGRAM, scratch, type Scratch, until } from '../../support/daemon.ts';
import { action, HOST, TEST_URI, VCPUS, vhostmd } from './program.ts';

const scratches: Scratch[] = [];
const place = (...args: Parameters<typeof scratch>): Scratch => {
  scratches.push(scratch(...args));
  return scratches.at(-1) as Scratch;
};
afterEach(() => scratches.splice(0).forEach(({ remove }) => remove()));

describe('vhostmd once', () => {
  it('prints one snapshot as XML and nothing else, and opens no disk', () => {
    const { disk, config } = place(HOST + VCPUS);
    const { code, stdout, stderr } = vhostmd(['once', ...TEST_URI, '-f', config]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.startsWith('<metrics>\n  <metric ')).toBe(true);
    expect(stdout.endsWith('</metrics>\n')).toBe(true);
    expect(parseMetrics(stdout).map(({ context, name }) => `${context} ${name}`)).toEqual([
      'host HostName',
      'vm Vcpus',
    ]);
    expect(existsSync(disk)).toBe(false);
  });

  it('waits for slow actions, and says what is left out', () => {
    const { config } = place(
      HOST +
        action('Slow', 'sleep 2; echo slow') +
        action('Hangs', 'sleep 60') +
        action('Wrong', 'echo abc', { type: 'int32' }) +
        action('Fails', 'echo why >&2; exit 3'),
      { period: 3 },
    );
    const { code, stdout, stderr } = vhostmd(['once', ...TEST_URI, '-f', config]);
    expect(parseMetrics(stdout).map(({ name, value }) => `${name}=${value}`)).toEqual([
      expect.stringMatching(/^HostName=/),
      'Slow=slow',
    ]);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/"Hangs" \(.*:1\) has no value for the host: not finished after 3 s; killed$/),
      expect.stringMatching(/"Wrong" \(.*:1\) has no value for the host: "abc" is not a number for int32$/),
      expect.stringMatching(/"Fails" \(.*:1\) has no value for the host: .*3.*why/),
    ]);
    expect(code).toBe(0);
  });

  it('CASE B6: prints a number without the unit behind it, and says how to write it', () => {
    const { config } = place(
      action('Vif', 'echo 2.5s', { type: 'real64' }) + action('Two', 'echo 1 2', { type: 'int32' }),
    );
    const { stdout, stderr } = vhostmd(['once', ...TEST_URI, '-f', config]);
    expect(parseMetrics(stdout).map(({ name, value }) => `${name}=${value}`)).toEqual(['Vif=2.5']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /notice  metrics: "Vif" \(.*:1\): its action printed "s" behind the number 2.5, .*unit="s"$/,
      ),
      expect.stringContaining('"Two"'),
    ]);
  });

  it('prints host metrics when libvirt cannot be reached, and says so', () => {
    const { config } = place(HOST + VCPUS);
    const { code, stdout, stderr } = vhostmd(['once', '-c', 'qemu+unix:///session?socket=/nonexistent', '-f', config]);
    expect(parseMetrics(stdout).map(({ name }) => name)).toEqual(['HostName']);
    expect(stderr).toMatch(/warning libvirt: Not connected.*\/nonexistent/);
    expect(code).toBe(0);
  });

  it('prints a document that is larger than a pipe holds as a whole', () => {
    const value = 'x'.repeat(5000);
    const { config, directory } = place(
      Array.from({ length: 400 }, (_, index) => action(`M${index}`, `cat ${index}`)).join(''),
    );
    writeFileSync(path.join(directory, 'value'), value);
    writeFileSync(config, readFileSync(config, 'utf8').replaceAll(/cat \d+/g, `cat ${directory}/value`));
    const { code, stdout } = vhostmd(['once', ...TEST_URI, '-f', config]);
    expect(parseMetrics(stdout)).toHaveLength(400);
    expect(stdout.length).toBeGreaterThan(2_000_000);
    expect(code).toBe(0);
  });

  it('prints what is wrong with a configuration and ends with status 2', () => {
    const { config } = place('<metric/>');
    const { code, stdout, stderr } = vhostmd(['once', ...TEST_URI, '-f', config]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${config}:1:\\d+: `));
  });

  it('that is interrupted leaves no action behind and prints nothing', async () => {
    const { config, directory } = place('', { period: 30 });
    const pidFile = path.join(directory, 'action');
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace('<metrics>', `<metrics>${action('Slow', `echo $$ > ${pidFile}; sleep 25`)}`),
    );
    const child = spawn(process.execPath, [PROGRAM, 'once', ...TEST_URI, '-f', config], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    await until('the action', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const state = `/proc/${readFileSync(pidFile, 'utf8').trim()}/status`;
    expect(existsSync(state) && !/^State:\s+Z/m.test(readFileSync(state, 'utf8'))).toBe(false);
  });
});
