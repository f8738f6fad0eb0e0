import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterEach, describe, expect, it } from 'vitest';

import { scratch, type Scratch } from '../../support/daemon.ts';
import { action, HOST, vhostmd } from './program.ts';

const preset = (name: string): string => fileURLToPath(new URL(`../../../conf/${name}`, import.meta.url));
const scratches: Scratch[] = [];
const place = (metrics: string): Scratch => {
  scratches.push(scratch(metrics));
  return scratches.at(-1) as Scratch;
};
afterEach(() => scratches.splice(0).forEach(({ remove }) => remove()));

describe('vhostmd check', () => {
  it.each([
    ['vhostmd.xml', 13, 4],
    ['suse.xml', 13, 1],
    ['slow.xml', 20, 4],
    ['contention.xml', 13, 34],
  ])('lists the metrics of conf/%s', (name, host, vm) => {
    const { code, stdout, stderr } = vhostmd(['check', preset(name)]);
    const lines = stdout.trimEnd().split('\n');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines).toHaveLength(host + vm + 1);
    expect(lines.at(-1)).toBe(`${preset(name)}: ${host} host and ${vm} VM metrics, no errors`);
    expect(lines[0]).toMatch(/^host {2}string {2}HostName +host\.(libvirt\.)?hostname$/);
    expect(lines.at(-2)).toMatch(/^vm /);
  });

  it('touches nothing, and needs no libvirt', () => {
    const { disk, config } = place(HOST);
    expect(vhostmd(['-f', config, 'check']).code).toBe(0);
    expect(existsSync(disk)).toBe(false);
  });

  it('prints every error with file, line and column to stderr, nothing else, and ends with status 2', () => {
    const { config } = place(
      `\n<metric type="integer" context="host"><name>A</name><action>a</action></metric>\n` +
        `<metric type="int32" context="guest"><name>B</name><action>a</action></metric>\n${HOST}`,
    );
    const { code, stdout, stderr } = vhostmd(['check', config]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${config}:2:\\d+: .*integer`)),
      expect.stringMatching(new RegExp(`^${config}:3:\\d+: .*guest`)),
    ]);
  });

  it('refuses mistakes that only the sinks detect, with their place', () => {
    const { config } = place(HOST);
    writeFileSync(config, readFileSync(config, 'utf8').replace('</globals>', '<sink type="telepathy"/></globals>'));
    const { code, stderr } = vhostmd(['check', config]);
    expect(stderr).toMatch(new RegExp(`^${config}:1:\\d+: .*telepathy`));
    expect(code).toBe(2);
  });

  it('prints warnings as such and ends with status 0', () => {
    const { code, stderr, stdout } = vhostmd(['check', place(HOST + HOST).config]);
    expect(stderr).toMatch(/^[^\n]*:\d+:\d+: [^\n]*HostName[^\n]* \(warning\)\n$/);
    expect(stdout).toContain('2 host and 0 VM metrics, no errors');
    expect(code).toBe(0);
  });

  it('shows where values come from in one line each, hostile text escaped', () => {
    const { config } = place(action('Long', `echo '\u202e'\n\n  ${'very '.repeat(30)}long`) + HOST);
    const { stdout } = vhostmd(['check', config]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/^[ -~\n]*$/);
    expect(stdout.split('\n')[0]).toMatch(/^host {2}string {2}Long +echo '.*\.\.\.$/);
  });

  it('CASE E2: names a file that it cannot use once, without a place in it', () => {
    const { directory } = place(HOST);
    const missing = `${directory}/missing`;
    for (const args of [
      ['check', missing],
      ['-f', missing, 'check'],
      ['once', '-f', missing],
      ['watch', '-f', missing],
    ]) {
      const { code, stderr } = vhostmd(args);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `${missing}: There is no such file; give the path of a configuration file\n`,
      });
    }
    expect(vhostmd(['check', directory]).stderr).toBe(`${directory}: This is a directory; expected a file\n`);
  });

  it('CASE D7: prints nothing of a good file where only mistakes are asked for', () => {
    expect(vhostmd(['check', '--quiet', place(HOST).config])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('shows periods that are longer than that of the daemon', () => {
    expect(vhostmd(['check', place(action('Rare', 'echo 1', { more: 'period="3"' })).config]).stdout).toContain(
      'echo 1 (every 3 ticks)',
    );
  });

  it.each(['/nonexistent', '/tmp', ''])('of something that is no file (%j) ends with status 2 and one line', (file) => {
    const { code, stdout, stderr } = vhostmd(['check', file]);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).not.toMatch(/\bat .*\.js/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  describe('with --migrate', () => {
    const OLD = `\n${action('Time', 'date +%s', { type: 'uint64' })}\n${action('Own', 'my-script')}\n${HOST}`;

    it('prints the file with statistics to stdout, a line for each action to stderr, and changes nothing', () => {
      const { config } = place(OLD);
      const before = readFileSync(config, 'utf8');
      const { code, stdout, stderr } = vhostmd(['check', '--migrate', config]);
      expect(stdout).toBe(before.replace('<action><![CDATA[date +%s]]></action>', '<stat>host.time</stat>'));
      expect(stderr.split('\n')).toEqual([
        expect.stringMatching(`^${config}:2:\\d+: Time \\(host\\) is <stat>host.time</stat>$`),
        expect.stringMatching(`^${config}:3:\\d+: Own \\(host\\) stays an action: it runs my-script$`),
        `${config}: 1 action replaced, 1 stays`,
        '',
      ]);
      expect(code).toBe(0);
      expect(readFileSync(config, 'utf8')).toBe(before);
    });

    it('prints a file that is the same when it is rewritten again', () => {
      const { config } = place(OLD);
      const { stdout } = vhostmd(['check', '--migrate', config]);
      writeFileSync(config, stdout);
      const again = vhostmd(['-f', config, 'check', '--migrate']);
      expect(again.stdout).toBe(stdout);
      expect(again.stderr).toMatch(/: 0 actions replaced, 1 stays\n$/);
    });

    it('reports nothing with --quiet', () => {
      const { code, stdout, stderr } = vhostmd(['check', '--migrate', '--quiet', place(OLD).config]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('<stat>host.time</stat>');
    });

    it('prints no file where there are mistakes, but the mistakes, and ends with status 2', () => {
      const { config } = place(`${OLD}\n<metric/>`);
      const { code, stdout, stderr } = vhostmd(['check', '--migrate', config]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^${config}:5:1: `));
    });

    it('runs no action', () => {
      const { directory, config } = place('');
      writeFileSync(
        config,
        readFileSync(config, 'utf8').replace('<metrics>', `<metrics>${action('A', `touch ${directory}/ran`)}`),
      );
      expect(vhostmd(['check', '--migrate', config]).code).toBe(0);
      expect(existsSync(`${directory}/ran`)).toBe(false);
    });
  });
});
