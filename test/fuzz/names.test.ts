import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { substitute } from '../../src/sources/action/substitute.ts';
import { domainOf, PATH, UUID } from '../sources/action/requests.ts';
import { fuzz, joined, TIMEOUT } from './fuzz.ts';
import { PATIENCE } from '../support/patience.ts';

/** Number of names for one shell, because a start takes milliseconds. */
const BATCH = 1000;

/** Uses of a name in actions. Each prints it once, followed by a NUL, without another process. */
const USES = [
  `printf '%s\\0' NAME`,
  `printf '%s\\0' 'NAME'`,
  `printf '%s\\0' "NAME"`,
  `printf '%s\\0' pre-NAME-post`,
  `printf '%s\\0' /x/NAME/y`,
  `x=NAME; printf '%s\\0' "$x"`,
  `x=NAME; printf '%s\\0' $x`,
  `x="NAME"; eval "printf '%s\\\\0' NAME"`,
  `eval 'printf "%s\\0" NAME'`,
  `for x in NAME; do printf '%s\\0' "$x"; done`,
  `case NAME in "NAME") printf '%s\\0' NAME;; esac`,
  `if [ NAME = "NAME" ]; then printf '%s\\0' "\${unset:-NAME}"; fi`,
  `read -r x <<E,F\nNAME\nE,F\nprintf '%s\\0' "$x"`,
  `# NAME\nprintf '%s\\0' NAME # NAME`,
];
/** Each of these starts a process, so each hundredth name uses them. */
const FORKING = [
  `printf '%s\\0' "$(printf '%s' 'NAME')"`,
  "printf '%s\\0' `printf '%s' NAME`",
  `sh -c 'printf "%s\\0" NAME'`,
  `printf '%s\\0' NAME | cat`,
];

const FRAGMENTS = [
  'canary',
  '$(canary)',
  '`canary`',
  ';canary;',
  '|canary',
  '&canary&',
  '\ncanary\n',
  '>sprung',
  '<sprung',
  '#',
]
  .concat(
    "'",
    '"',
    '\\',
    '$',
    '`',
    '(',
    ')',
    '{',
    '}',
    '[',
    ']',
    '*',
    '?',
    '~',
    '!',
    '^',
    '%s',
    '=',
    ' ',
    '\t',
    '\r',
    '\n',
    '\0',
  )
  .concat(
    '-',
    '--',
    '.',
    '..',
    '/',
    '../',
    '0',
    '7',
    'a',
    'Z',
    '_',
    '+',
    ':',
    '@',
    ',',
    'E,F',
    '\nE,F\n',
    ';;',
    'esac',
    'done',
    'fi',
  )
  .concat(
    'NAME',
    'UUID',
    'VMID',
    'CONNECT',
    '$NAME',
    '$&',
    '$1',
    "$'",
    '${IFS}',
    UUID,
    '\u00fc',
    '\u202e',
    '\u2028',
    '\ud800',
    '\u{1f600}',
  );
const SAFE = [...'azAZ09_.+:@-'];
const name = fc.oneof(
  { weight: 5, arbitrary: joined(FRAGMENTS, 6) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 2, arbitrary: joined([...SAFE, 'UUID', 'NAME', 'canary'], 12) },
  { weight: 1, arbitrary: fc.tuple(joined(SAFE, 4), fc.constantFrom(...FRAGMENTS)).map((parts) => parts.join('')) },
);

// `canary` is a command on the PATH; an injection that runs it leaves the file `sprung`.
let directory = '';
let work = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vhostmd-names-'));
  work = mkdtempSync(join(tmpdir(), 'vhostmd-work-'));
  writeFileSync(join(directory, 'canary'), `#!/bin/sh\necho sprung >>${directory}/sprung\n`);
  chmodSync(join(directory, 'canary'), 0o755);
});
afterAll(() => [directory, work].forEach((made) => rmSync(made, { recursive: true })));

/** Returns the lines that a shell prints for these commands. */
const run = (shell: readonly string[], commands: readonly string[]): readonly string[] => {
  const [program = '', ...args] = shell;
  const script = commands.map((command) => `${command}\nprintf '\\n'\n`).join('');
  const env = { PATH: `${directory}:${PATH}`, LC_ALL: 'C' };
  const file = join(directory, 'script');
  writeFileSync(file, script);
  const { stdout, stderr, error } = spawnSync(program, [...args, file], { cwd: work, env, timeout: 30_000 * PATIENCE });
  if (error !== undefined) throw error;
  if (stderr.length > 0) return [`stderr: ${stderr.toString()}`];
  return stdout.toString().split('\n');
};

const sprung = (): boolean => existsSync(join(directory, 'sprung')) || readdirSync(work).length > 0;

const only = (text: string, allowed: string): boolean =>
  text.length > 0 && Array.from(text).every((character) => allowed.includes(character));
const DIGITS = '0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Returns true if a name may be used unchanged, by other means than the program's; all others are replaced by the UUID.
 */
const plain = (given: string): boolean => {
  const bare = given.replaceAll('-', '');
  const uuid = bare.length === 32 && only(bare, `${DIGITS}abcdefABCDEF`);
  const id = only(given.startsWith('+') ? given.slice(1) : given, DIGITS);
  const option = given.startsWith('-');
  return (
    only(given, `${LETTERS}${LETTERS.toUpperCase()}${DIGITS}_.+:@-`) && !uuid && !id && !option && !only(given, '.')
  );
};

interface Case {
  readonly given: string;
  readonly use: string;
}

const substituted = ({ use, given }: Case): string => substitute(use, { path: PATH, domain: domainOf(given) });

const expected = (use: string, value: string): string => {
  if (use.includes('pre-')) return `pre-${value}-post\0`;
  return use.includes('/x/') ? `/x/${value}/y\0` : `${value}\0`;
};

/** Returns true if nothing was injected and every command got the right argument. */
const isRight = (shell: readonly string[], cases: readonly Case[], put: typeof substituted): boolean => {
  const printed = run(shell, cases.map(put));
  const due = cases.map(({ use, given }) => expected(use, plain(given) ? given : UUID));
  return !sprung() && printed.length === due.length + 1 && due.every((line, index) => line === printed[index]);
};

const check = (shell: readonly string[], names: readonly string[], put = substituted): void => {
  const cases = names.map((given, index): Case => {
    const forks = index % 100 === 99;
    const uses = forks ? FORKING : USES;
    return { given, use: uses[Math.floor(index / (forks ? 100 : 1)) % uses.length] ?? '' };
  });
  if (isRight(shell, cases, put)) return;
  const culprit = cases.find((one) => !isRight(shell, [one], put));
  expect.fail(
    `${shell.join(' ')}: ${JSON.stringify(culprit)} prints ${JSON.stringify(culprit && run(shell, [put(culprit)]))}`,
  );
};

const SHELLS = [['/bin/sh'], ['bash', '--posix'], ['busybox', 'sh']];

it('the canary is found out where names are put in as they are, in quotes, too', () => {
  const raw = ({ use, given }: Case): string => use.replaceAll('NAME', () => given);
  for (const given of ['$(canary)', "';canary;'", '";canary;"']) {
    expect(() =>
      check(
        ['/bin/sh'],
        USES.map(() => given),
        raw,
      ),
    ).toThrow();
    expect(existsSync(join(directory, 'sprung'))).toBe(true);
    rmSync(join(directory, 'sprung'));
  }
});

it(
  'FAULTS 30: no name of a VM injects anything into a shell, and each names the right VM',
  { timeout: TIMEOUT },
  () => {
    let batch = 0;
    fuzz(
      'names of VMs',
      fc.array(name, { minLength: BATCH, maxLength: BATCH, size: 'max' }),
      (names) => {
        check(SHELLS[batch++ % SHELLS.length] ?? [], names);
      },
      BATCH,
    );
  },
);
