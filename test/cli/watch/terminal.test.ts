import { EventEmitter } from 'node:events';

import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { difference, drawn$, sizeOf } from '../../../src/cli/watch/terminal.ts';
import type { Line } from '../../../src/cli/watch/table.ts';
import type { Frame } from '../../../src/cli/watch/frames.ts';

const frameOf = (texts: readonly string[], look: Line['look'] = 'plain', columns = 2): Frame => ({
  size: { columns, rows: texts.length },
  lines: texts.map((text) => ({ text, look })),
});
const visible = (text: string): string => text.replaceAll('\u001b', 'E');

const ENTER = 'E[?1049hE[?25lE[?7lE[2J';
const LEAVE = 'E[0mE[?7hE[?25hE[?1049l';

describe('drawing a frame', () => {
  it('draws all lines on a new screen, each at its place', () => {
    expect(visible(difference(undefined, frameOf(['ab', 'cd'])))).toBe('E[2JE[1;1HabE[0mE[2;1HcdE[0m');
  });

  it('draws only the lines that differ', () => {
    expect(visible(difference(frameOf(['ab', 'cd']), frameOf(['ab', 'xy'])))).toBe('E[2;1HxyE[0m');
    expect(difference(frameOf(['ab']), frameOf(['ab']))).toBe('');
    expect(visible(difference(frameOf(['ab']), frameOf(['ab'], 'alarm')))).toBe('E[1;1HE[1;7mabE[0m');
  });

  it('draws all lines after a change of size', () => {
    expect(visible(difference(frameOf(['ab']), frameOf(['ab', 'cd'])))).toContain('E[2JE[1;1Hab');
    expect(visible(difference(frameOf(['ab']), frameOf(['ab'], 'plain', 3)))).toContain('E[2JE[1;1Hab');
  });
});

describe('the size of a terminal', () => {
  it('is 80 x 24 where it is unknown', () => {
    expect(sizeOf({})).toEqual({ columns: 80, rows: 24 });
    expect(sizeOf({ columns: 0, rows: 0 })).toEqual({ columns: 80, rows: 24 });
    expect(sizeOf({ columns: 100, rows: 50 })).toEqual({ columns: 100, rows: 50 });
  });
});

describe('the terminal', () => {
  const stage = () => {
    const owner = new EventEmitter();
    const frame$ = new Subject<Frame>();
    const said: string[] = [];
    const terminal$ = drawn$(
      frame$,
      { write: (text: string | Uint8Array) => said.push(visible(String(text))) > 0 },
      { setRawMode: (raw: boolean) => (said.push(raw ? 'raw' : 'cooked'), process.stdin) },
      {
        on: (event, listener) => owner.on(event, listener),
        off: (event, listener) => owner.off(event, listener),
        stop: () => said.push('stop'),
      },
    );
    return { owner, frame$, said, terminal$ };
  };

  it('is taken at the start and given back at the end', () => {
    const { owner, frame$, said, terminal$ } = stage();
    terminal$.subscribe();
    frame$.next(frameOf(['ab']));
    frame$.complete();
    expect(said).toEqual([ENTER, 'E[2JE[1;1HabE[0m', LEAVE]);
    expect(owner.eventNames()).toEqual([]);
  });

  it('is given back when it is unsubscribed from, and at an error', () => {
    const one = stage();
    one.terminal$.subscribe().unsubscribe();
    expect(one.said).toEqual([ENTER, LEAVE]);
    const other = stage();
    const errors: unknown[] = [];
    other.terminal$.subscribe({ error: (error: unknown) => errors.push(error) });
    other.frame$.error('broken');
    expect(errors).toEqual(['broken']);
    expect(other.said).toEqual([ENTER, LEAVE]);
  });

  it.each(['exit', 'uncaughtExceptionMonitor'])(
    'is given back at the event %s of the process, and not twice',
    (event) => {
      const { owner, said, terminal$ } = stage();
      const subscription = terminal$.subscribe();
      owner.emit(event);
      subscription.unsubscribe();
      expect(said).toEqual([ENTER, LEAVE]);
    },
  );

  it('is given back while the process is stopped, and drawn anew when it goes on', () => {
    const { owner, frame$, said, terminal$ } = stage();
    terminal$.subscribe();
    frame$.next(frameOf(['ab']));
    said.length = 0;
    owner.emit('SIGTSTP');
    expect(said).toEqual([LEAVE, 'cooked', 'stop']);
    said.length = 0;
    owner.emit('SIGCONT');
    expect(said).toEqual(['raw', `${ENTER}E[2JE[1;1HabE[0m`]);
  });
});
