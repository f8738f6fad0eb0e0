import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';

import { afterEach, describe, expect, it } from 'vitest';

import { PROGRAM, scratch, type Scratch, until, valueOf } from '../support/daemon.ts';

let files: Scratch | undefined;
afterEach(() => files?.remove());

describe('the descriptors and the environment of an action', () => {
  it('FAULTS 70: no descriptor of the daemon or of whoever started it, and none of the variables of systemd', async () => {
    files = scratch(
      '<metric type="string" context="host"><name>Descriptors</name><action>ls -x /proc/self/fd</action></metric>' +
        '<metric type="string" context="host"><name>Environment</name><action>env | cut -d= -f1 | sort | tr "\\n" " "</action></metric>',
    );
    const inherited = openSync('/etc/passwd', 'r');
    const child = spawn(process.execPath, [PROGRAM, '-d', '-c', 'test:///default', '-f', files.config], {
      stdio: ['ignore', 'ignore', 'ignore', inherited, inherited],
      env: {
        ...process.env,
        NOTIFY_SOCKET: '/run/x',
        WATCHDOG_USEC: '1',
        LISTEN_FDS: '1',
        INVOCATION_ID: 'a',
        JOURNAL_STREAM: '1:2',
      },
    });
    const { disk } = files;
    try {
      await until('a value', async () => (await valueOf(disk, 'Descriptors').catch(() => undefined)) !== undefined);
      // 3 is the directory that ls itself reads.
      expect((await valueOf(disk, 'Descriptors'))?.split(/\s+/)).toEqual(['0', '1', '2', '3']);
      expect(await valueOf(disk, 'Environment')).not.toMatch(
        /NOTIFY|WATCHDOG|LISTEN|INVOCATION|JOURNAL|UV_|VHOSTMD_BACKGROUND/,
      );
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });
});
