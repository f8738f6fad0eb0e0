import { describe, expect, it } from 'vitest';

import { parseMarbleFile } from '../../src/testing/marbles/parse.ts';
import { playMarbles } from '../../src/testing/marbles/play.ts';
import { subjects } from './subjects.ts';

const runMarbleFile = (text: string) => playMarbles(text, subjects);

const GOOD = `% A VM is published.
% 1 dash = 100 ms

x = -1|

S-----------
title = domains
S := sync a

x---------x-
title = runs of a.cpu

> snapshot
period = 1000
vm cpu = action

-p---------p
title = snapshot
p := a.cpu=1
`;

const withChange = (from: string, to: string): string => {
  if (!GOOD.includes(from)) throw new Error(`not in the file: ${from}`);
  return GOOD.replace(from, to);
};

describe('the harness of the marble files', () => {
  it('finds nothing to say about a file that the code follows', () => {
    const { seen, expected } = runMarbleFile(GOOD);
    expect(seen).toEqual(expected);
    expect(seen).toEqual([
      '  0 dashes  runs of a.cpu: run 1 starts',
      '  1 dashes  snapshot: a.cpu=1',
      ' 10 dashes  runs of a.cpu: run 2 starts',
      ' 11 dashes  snapshot: a.cpu=1',
    ]);
  });

  it.each([
    ['comes at another time', '-p---------p', '--p--------p'],
    ['has another content', 'p := a.cpu=1', 'p := a.cpu=2'],
    ['is missing', '-p---------p', '-p----------'],
    ['is not expected', '-p---------p', '-p---p-----p'],
    ['belongs to a run that is not due', 'x---------x-', 'x----x----x-'],
    ['belongs to a run that nobody expects', 'x---------x-', 'x-----------'],
    ['is of a run that is expected to be cut off', 'x = -1|', 'x = -1#'],
  ])('notices what %s', (_, from, to) => {
    const { seen, expected } = runMarbleFile(withChange(from, to));
    expect(seen).not.toEqual(expected);
  });

  it('notices that a run is cut off', () => {
    const { seen, expected } = runMarbleFile(
      withChange('S-----------', 'S----------s')
        .replace('S := sync a', 'S := sync a\ns := stop a')
        .replace('x = -1|', 'x = 1---|'),
    );
    expect(seen).toContain(' 11 dashes  runs of a.cpu: run 2 is cut off');
    expect(expected).not.toContain(' 11 dashes  runs of a.cpu: run 2 is cut off');
  });

  it.each([
    ['a missing sentence', '% A VM is published.', '%', 'a sentence in the first line'],
    ['a missing unit', '% 1 dash = 100 ms', '% One dash.', 'the unit in the second line'],
    ['a missing subject', '> snapshot\nperiod = 1000\nvm cpu = action', '', 'one subject'],
    ['a second subject', '> snapshot', '> tick\n\n> snapshot', 'one subject'],
    ['an unknown subject', '> snapshot', '> snapshots', 'unknown subject: snapshots'],
    ['an unread parameter', 'period = 1000', 'period = 1000\nperoid = 2000', 'unread parameter: peroid'],
    ['a parameter given twice', 'period = 1000', 'period = 1000\nperiod = 2000', 'a parameter is given twice'],
    ['a parameter that is none', 'period = 1000', 'period 1000', '"parameter = value"'],
    ['an unknown kind of metric', 'vm cpu = action', 'vm cpu = acton', 'acton'],
    ['an unknown letter', '-p---------p', '-p---------q', 'unknown letter q'],
    ['a letter of which there is no use', 'p := a.cpu=1', 'p := a.cpu=1\nq := nothing', 'letter q is not used'],
    ['a letter with two meanings', 'p := a.cpu=1', 'p := a.cpu=1\np := nothing', 'a letter is assigned twice'],
    ['an unknown event', 'S := sync a', 'S := synch a', 'unknown event of a domain: synch a'],
    ['an undeclared input', 'title = domains', 'title = guests', 'no stream has the title "domains"'],
    ['an undeclared run', 'title = runs of a.cpu', 'title = runs of b.cpu', 'no stream has the title "runs of a.cpu"'],
    ['a stream that nothing reads', '> snapshot', '-t-\ntitle = other\nt := x\n\n> snapshot', 'the stream "other"'],
    ['a run of which there is no use', 'x = -1|', 'x = -1|\n\ny = -2|', 'run y is not used'],
    ['a title given twice', '> snapshot', 'x-----------\ntitle = domains\n\n> snapshot', 'a title is given twice'],
    ['a stream without a title', 'title = domains\n', '', 'title = ..'],
    ['marbles that are none', '-p---------p', '-p--------- p', 'expected marbles'],
    ['a cut in an output', '-p---------p', '-p-------p-#', 'in a run only'],
    ['a file that asserts nothing', '-p---------p\ntitle = snapshot\np := a.cpu=1\n', '', 'nothing is asserted'],
  ])('refuses %s', (_, from, to, message) => {
    expect(() => runMarbleFile(withChange(from, to))).toThrow(new RegExp(message.replaceAll('..', '\\.\\.')));
  });

  it('refuses an input below the subject: it would seem to be asserted', () => {
    const [inputs = '', rest = ''] = GOOD.split('S-----------\ntitle = domains\nS := sync a\n\n');
    expect(() => runMarbleFile(`${inputs}${rest}\nS-----------\ntitle = domains\nS := sync a\n`)).toThrow(
      'above the subject',
    );
  });

  it('takes a file apart', () => {
    const file = parseMarbleFile(GOOD);
    expect(file).toMatchObject({ sentence: 'A VM is published.', dash: 100, subject: 'snapshot' });
    expect([...file.parameters]).toEqual([
      ['period', '1000'],
      ['vm cpu', 'action'],
    ]);
    expect(file.streams.map(({ title, output }) => [title, output])).toEqual([
      ['domains', false],
      ['runs of a.cpu', false],
      ['snapshot', true],
    ]);
  });
});
