import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CAUSES } from '../../../src/verdict/causes.ts';
import { TEST_URI, vhostmd } from './program.ts';

const MANY = 300;

/** A file of libvirt's test driver with many domains. */
const NODE = `<node><memory>8000000</memory><cpu><mhz>2000</mhz><model>x</model><active>2</active><nodes>1</nodes><sockets>1</sockets><cores>2</cores><threads>1</threads></cpu>${Array.from(
  { length: MANY },
  (_, at) =>
    `<domain type='test'><name>d${at}</name><uuid>00000000-0000-4000-8000-${String(at).padStart(12, '0')}</uuid><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`,
).join('')}</node>`;

// No process is behind these domains, so nothing can be judged.
describe('vhostmd why with the test driver of libvirt', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-why-'));
    writeFileSync(path.join(folder, 'node.xml'), NODE);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const many = (): readonly string[] => ['-c', `test://${path.join(folder, 'node.xml')}`];

  it('says that it could judge nothing, and why', () => {
    expect(vhostmd(['why', 'test', ...TEST_URI])).toEqual({
      code: 2,
      signal: null,
      stderr: '',
      stdout:
        'test: the host shows nothing of what could slow it down.\n\nNot judged:\n' +
        '  All causes: this is not the host of the VM, or its driver is not QEMU; run this command on the host, with -c qemu:///system\n',
    });
  });

  it('prints the same as JSON', () => {
    const { code, stdout } = vhostmd(['why', '1', '--json', ...TEST_URI]);
    expect(code).toBe(2);
    const names = CAUSES.map(({ name }) => name);
    const { reasons, ...data } = JSON.parse(stdout);
    expect(data).toEqual({
      domain: { name: 'test', uuid: expect.stringMatching(/^[\da-f-]{36}$/), id: 1 },
      cause: 'unknown',
      seconds: 0,
      findings: [],
      unseen: names,
      measured: {},
    });
    expect(Object.keys(reasons)).toEqual(names);
  });

  it('finds one domain among many, and lists all', () => {
    expect(vhostmd(['why', 'd77', ...many()])).toMatchObject({ code: 2, stdout: expect.stringMatching(/^d77: /) });
    const { code, stdout } = vhostmd(['why', '--all', ...many()]);
    expect(code).toBe(2);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(MANY);
    for (const line of lines) expect(line).toMatch(/^d\d+ +unknown$/);
  });

  it('suggests a name', () => {
    expect(vhostmd(['why', 'tset', ...TEST_URI])).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: 'vhostmd: There is no domain "tset"; did you mean "test"?\n',
    });
  });
});
