import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

const LOG = fileURLToPath(new URL('../../.cache/modules/system/log.js', import.meta.url));
const directory = mkdtempSync(path.join(tmpdir(), 'vhostmd-log-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Returns the stderr of a process that logs these lines. */
const logged = (
  lines: readonly (readonly [string, string, string])[],
  { journal = 'no', verbose = false }: { journal?: 'no' | 'ours' | "another's"; verbose?: boolean } = {},
): readonly string[] => {
  const file = path.join(directory, 'stderr');
  const fd = openSync(file, 'w+');
  const { dev, ino } = fstatSync(fd);
  const { JOURNAL_STREAM: _, ...env } = process.env;
  const script = `import(${JSON.stringify(LOG)}).then(({ createLog }) => {
    const log = createLog({ verbose: ${verbose}, background: false });
    for (const line of ${JSON.stringify(lines)}) log(...line);
  });`;
  const stream = { no: {}, ours: { JOURNAL_STREAM: `${dev}:${ino}` }, "another's": { JOURNAL_STREAM: `${dev}:1` } };
  spawnSync(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', fd], env: { ...env, ...stream[journal] } });
  closeSync(fd);
  return readFileSync(file, 'utf8').split('\n').slice(0, -1);
};

const ALL = [
  ['err', 'part', 'An error'],
  ['warning', 'part', 'A warning'],
  ['notice', 'part', 'A notice'],
  ['info', 'part', 'An info'],
  ['debug', 'part', 'A detail'],
] as const;

describe('the log', () => {
  it('has a line with timestamp, level and component for each message, without details', () => {
    const lines = logged(ALL);
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /, ''))).toEqual([
      'err     part: An error',
      'warning part: A warning',
      'notice  part: A notice',
      'info    part: An info',
    ]);
    expect(lines.every((line) => /^\d{4}-.*Z /.test(line))).toBe(true);
  });

  it('has details too when it is verbose', () => {
    expect(logged(ALL, { verbose: true })).toHaveLength(5);
  });

  it('puts the priority in front where stderr is the journal, and no timestamp', () => {
    expect(logged(ALL, { journal: 'ours', verbose: true })).toEqual([
      '<3>part: An error',
      '<4>part: A warning',
      '<5>part: A notice',
      '<6>part: An info',
      '<7>part: A detail',
    ]);
  });

  it('writes timestamps where only a parent had its stderr in the journal', () => {
    expect(logged(ALL, { journal: "another's" })[0]).toMatch(/^\d{4}-.*Z err {5}part: An error$/);
  });

  it('keeps a message in one line, and printable, whatever is in it', () => {
    expect(logged([['err', 'part', 'a\nb\r<3>c\u001b[31md\u202ee\tü']], { journal: 'ours' })).toEqual([
      '<3>part: a\\u{a}b\\u{d}<3>c\\u{1b}[31md\\u{202e}e\\u{9}\\u{fc}',
    ]);
  });
});
