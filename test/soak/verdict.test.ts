import { XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';

import { plot } from './plot.ts';
import { table } from './report.ts';
import type { Quiet } from './subject.ts';
import { DAY, growth, leaks, slope } from './verdict.ts';

const LIMITS = { heap: 1, rss: 1 };

const series = (of: (ticks: number) => Partial<Quiet>): { samples: readonly Quiet[]; quiets: readonly Quiet[] } => {
  const quiets = Array.from({ length: 24 }, (_, index): Quiet => {
    const ticks = (index + 1) * 720;
    const flat = { rss: 95, anonymous: 50, heap: 16, external: 3, descriptors: 30, threads: 23, children: 0 };
    return { ticks, ...flat, kinds: `${ticks}`, ...of(ticks) };
  });
  return { samples: quiets, quiets };
};

describe('The verdict of a soak', () => {
  it('is the slope of the line of least squares', () => {
    const line = [0, 1, 2, 3].map((x) => [x, 3 * x + 7] as const);
    expect(slope(line)).toBeCloseTo(3);
    // The further points have the same distance from the line on both sides.
    expect(slope([...line, [0, 8], [0, 6], [3, 15], [3, 17]])).toBeCloseTo(3);
  });

  it('is nothing where memory only rises until it is warm, and wavers then', () => {
    const steady = series((ticks) => ({
      rss: ticks < DAY / 2 ? 60 + ticks / 100 : 103 + (ticks % 1440 === 0 ? 1 : -1),
    }));
    expect(leaks(steady, LIMITS)).toEqual([]);
  });

  it('is memory that grows by more than its limit a day', () => {
    const growing = series((ticks) => ({ rss: 90 + (1.5 * ticks) / DAY, heap: 16 + (1.2 * ticks) / DAY }));
    expect(growth(growing).rss).toBeCloseTo(1.5);
    expect(leaks(growing, LIMITS)).toEqual([
      'heap grows by 1.20 MiB a day, more than 1',
      'RSS grows by 1.50 ± 0.00 MiB a day, more than 1',
    ]);
  });

  it('is a descriptor that is never closed again, but not one that was open at a single measurement', () => {
    const once = series((ticks) => ({ descriptors: ticks === 14_400 ? 31 : 30 }));
    expect(leaks(once, LIMITS)).toEqual([]);
    const left = series((ticks) => ({ descriptors: ticks > 12_000 ? 31 : 30 }));
    expect(leaks(left, LIMITS)).toEqual(['descriptors grew from 30 to 31; then: 8640; now: 17280']);
  });

  it('is a thread or a process too many', () => {
    expect(
      leaks(
        series((ticks) => ({ threads: ticks > 9000 ? 24 : 23 })),
        LIMITS,
      ),
    ).toEqual(['threads grew from 23 to 24; then: 8640; now: 17280']);
    expect(
      leaks(
        series((ticks) => ({ children: ticks === 9360 ? 1 : 0 })),
        LIMITS,
      ),
    ).toEqual(['1 times a process was left when nothing was under way']);
  });

  it('is shown in a table of a row per two hours, and in a well-formed drawing with every line and event', () => {
    const { samples, quiets } = series(() => ({}));
    expect(table({ quiets }).split('\n')).toHaveLength(2 + 12);
    expect(table({ quiets })).toContain('| 17,280 | 95.0 | 50.0 | 16.0 | 3.0 | 30 | 23 | 0 |');
    const drawing = plot([{ name: 'a <daemon>', samples, quiets }], [{ kind: 'libvirtd killed', ticks: 99 }], DAY, [
      'Said & done',
    ]);
    expect(XMLValidator.validate(drawing)).toBe(true);
    expect(drawing.match(/<polyline /g)).toHaveLength(4);
    // One in each of the four panels.
    expect(drawing.match(/stroke-dasharray/g)).toHaveLength(4);
    expect(drawing).toContain('Said &amp; done');
  });
});
