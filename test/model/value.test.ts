import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ValueType } from '../../src/model/metric.ts';
import { checkValue, decodeOutput, escapeForLog, formatStat } from '../../src/model/value.ts';

const value = (type: ValueType, text: string): string | undefined => {
  const checked = checkValue(type, text);
  return checked.ok ? checked.value : undefined;
};
const reason = (type: ValueType, text: string): string | undefined => {
  const checked = checkValue(type, text);
  return checked.ok ? undefined : checked.reason;
};
const stat = (...given: Parameters<typeof formatStat>): string | undefined => {
  const checked = formatStat(...given);
  return checked.ok ? checked.value : undefined;
};

describe('a value of an action', () => {
  it.each([
    ['int32', '-2147483648', '2147483647', '-2147483649', '2147483648'],
    ['uint32', '0', '4294967295', '-1', '4294967296'],
    ['int64', '-9223372036854775808', '9223372036854775807', '-9223372036854775809', '9223372036854775808'],
    ['uint64', '0', '18446744073709551615', '-1', '18446744073709551616'],
  ] as const)('of type %s is taken from %s to %s exactly', (type, least, most, below, above) => {
    expect(value(type, least)).toBe(least);
    expect(value(type, most)).toBe(most);
    expect(reason(type, below)).toBe(`"${below}" is out of range for ${type}`);
    expect(reason(type, above)).toBe(`"${above}" is out of range for ${type}`);
  });

  it('is trimmed and otherwise published as it was printed', () => {
    expect(value('uint32', ' \t+007\r\n')).toBe('+007');
    expect(value('real64', ' 1.50e3\n')).toBe('1.50e3');
    expect(value('real32', '.5')).toBe('.5');
    expect(value('string', '\n two words \n')).toBe('two words');
  });

  it('loses its decimals in an integer type, toward zero, even at the end of the range', () => {
    expect(value('uint64', '2932.000000')).toBe('2932');
    expect(value('int32', '-1.9')).toBe('-1');
    expect(value('uint32', '-0.9')).toBe('0');
    expect(value('uint64', '18446744073709551615.9')).toBe('18446744073709551615');
    expect(value('int32', '5.')).toBe('5');
  });

  it.each(['int32', 'uint32', 'int64', 'uint64', 'real32', 'real64'] as const)(
    'FAULTS 16: of type %s that is no number is refused, and the reason shows it',
    (type) => {
      for (const text of ['NaN', '1,5', '0x10', 'error: failed', 'inf', '1 2', '--1', '1\n2', '1.2.3', '+', '1e', '%'])
        expect(reason(type, text), text).toBe(`"${escapeForLog(text)}" is not a number for ${type}`);
    },
  );

  it('CASE B6: a number with a unit behind it is taken without it, and the unit is named', () => {
    for (const [type, text, taken, unit] of [
      ['real64', '2.5s', '2.5', 's'],
      ['uint64', '1024 KiB', '1024', 'KiB'],
      ['real64', '1e3s', '1e3', 's'],
      ['uint32', '5%', '5', '%'],
      ['real32', '-.5 °C', '-.5', '°C'],
      ['uint64', '2932.7\tMB/s', '2932', 'MB/s'],
      ['int32', '-5 errors', '-5', 'errors'],
      ['uint32', '7/s\n', '7', '/s'],
      ['real64', '12 \u00b5s', '12', '\u00b5s'],
      ['int32', '5 x', '5', 'x'],
      ['uint32', '8byte', '8', 'byte'],
      ['int32', '5errors', '5', 'errors'],
      ['int32', '5E3 x', undefined, ''],
      ['real64', '0x', undefined, ''],
      ['real64', '5x', undefined, ''],
    ] as const) {
      const checked = checkValue(type, text);
      expect(checked, text).toEqual(
        taken === undefined ? expect.objectContaining({ ok: false }) : { ok: true, value: taken, unit },
      );
    }
  });

  it('CASE B6: that only looks like a number with a unit stays refused', () => {
    const numbers =
      '1,5|1,5s|0x10|0xff|-0XAB|NaN|inf|error: 5|12:30|1.2.3|- 5|1e|1E|1e+|1.s|2026-01-01|1h30m|5-s|--5s|1e999s';
    const words =
      '5 000 KiB|3 of 5|5 KiB free|5 m2|5/|5 / |5\ns|5 s.|s|%|5 averyverylongword|\u0665s|18446744073709551616 B';
    for (const text of `${numbers}|${words}`.split('|'))
      for (const type of ['uint64', 'real64'] as const)
        if (!(type === 'real64' && text.endsWith(' B'))) expect(value(type, text), `${type} ${text}`).toBeUndefined();
    expect(reason('uint64', '5 of 6')).toBe('"5 of 6" is not a number for uint64');
    expect(reason('uint32', '-5s')).toBe('"-5s" is not a number for uint32');
  });

  it('FAULTS 16: beyond the range of its type is refused', () => {
    expect(reason('real64', '1e999')).toBe('"1e999" is out of range for real64');
    expect(reason('real32', '3.5e38')).toBe('"3.5e38" is out of range for real32');
    expect(value('real32', '3.4e38')).toBe('3.4e38');
    expect(value('real64', '3.5e38')).toBe('3.5e38');
    expect(reason('uint64', '18446744073709551616')).toContain('out of range');
    expect(reason('uint64', '1e3')).toBe('"1e3" is not a number for uint64');
    expect(value('uint64', `${'0'.repeat(60_000)}7`)).toHaveLength(60_001);
  });

  it('of 64 KiB that is almost a number is refused without long searching', () => {
    for (const tail of ['x', '.', '.x', 'e', '-'])
      for (const type of ['uint64', 'real64', 'string'] as const) {
        expect(value(type, `${'0'.repeat(65_000)}${tail}`) === undefined).toBe(type !== 'string' && tail !== '.');
        expect(value(type, `${' '.repeat(65_000)}1${tail}`) === undefined).toBe(type !== 'string' && tail !== '.');
      }
  });

  it('is cut and escaped in a reason', () => {
    expect(reason('int32', `\u001b[31m${'x'.repeat(70_000)}`)).toBe(
      `"\\u{1b}[31m${'x'.repeat(51)}..." is not a number for int32`,
    );
    expect(reason('int32', '9'.repeat(65_536))).toMatch(/^"9{61}\.\.\." is out of range for int32$/);
  });

  it('FAULTS 12: loses ESC, NUL and 0x1F in a string, and counts as empty when nothing is left', () => {
    expect(value('string', '\u001b[1mbold\u0000\u001f')).toBe('[1mbold');
    expect(value('string', 'a\ud800b\ufffe')).toBe('ab');
    expect(value('string', 'a\u{1f600}')).toBe('a\u{1f600}');
    expect(reason('string', '\u0000 \u001f')).toBe('empty value');
    expect(reason('int32', '1\u00002')).toBe('"1\\u{0}2" is not a number for int32');
  });

  it('FAULTS 15: that is empty or only white space is refused in every type', () => {
    for (const type of ['int32', 'uint64', 'real32', 'real64', 'string'] as const)
      for (const text of ['', ' \n\t\r ']) expect(reason(type, text)).toBe('empty value');
  });

  it('FAULTS 11: that is not UTF-8 becomes U+FFFD', () => {
    expect(decodeOutput(Buffer.from([0x61, 0xff, 0xc3, 0x62]))).toBe('a\ufffd\ufffdb');
    expect(decodeOutput(Buffer.from('gr\u00fcn'))).toBe('gr\u00fcn');
  });
});

describe('a statistic', () => {
  it('has six decimals as a real number', () => {
    expect(stat('real64', 846.6)).toBe('846.600000');
    expect(stat('real64', 69_400_000_000n, 1e-9)).toBe('69.400000');
    expect(stat('real64', 0)).toBe('0.000000');
    expect(stat('real32', 3n, 0.5)).toBe('1.500000');
    expect(stat('real64', 1e21)).toBe('1000000000000000000000.000000');
    expect(stat('real32', 1e39)).toBeUndefined();
  });

  it('keeps all 64 bits as an integer', () => {
    expect(stat('uint64', 18_446_744_073_709_551_615n)).toBe('18446744073709551615');
    expect(stat('uint64', 18_446_744_073_709_551_615n, 0.001)).toBe('18446744073709551');
    expect(stat('int64', 9_223_372_036_854_775_808n)).toBeUndefined();
    expect(stat('uint32', -1)).toBeUndefined();
  });

  it('is scaled in decimal, so that no whole number is lost to binary rounding', () => {
    for (let whole = 0n; whole < 2000n; whole += 1n) {
      expect(stat('uint64', whole * 1000n, 0.001)).toBe(String(whole));
      expect(stat('uint64', whole * 1_000_000_000n, 1e-9)).toBe(String(whole));
    }
    expect(stat('uint64', 4_194_304, 1 / 1024)).toBe('4096');
    expect(stat('uint64', 1023, 1 / 1024)).toBe('0');
    expect(stat('uint64', 3, 1024)).toBe('3072');
    expect(stat('uint64', 3n, 1000)).toBe('3000');
    // In binary, 100 * 0.29 is less than 29.
    expect(stat('uint64', 100, 0.29)).toBe('29');
    // 2^-40 has more decimals than its text.
    expect(stat('uint64', 2 ** 50, 2 ** -40)).toBe('1024');
    expect(stat('uint64', 2n ** 64n - 1n, 0.5)).toBe('9223372036854775807');
    expect(stat('int32', -7, 0.5)).toBe('-3');
    expect(stat('uint64', 2.9)).toBe('2');
  });

  it('is checked like any other value', () => {
    expect(stat('string', ' name\u0000 ')).toBe('name');
    expect(stat('string', '')).toBeUndefined();
    expect(stat('uint64', Number.NaN)).toBeUndefined();
    expect(stat('real64', 1e308, 10)).toBeUndefined();
    expect(stat('uint64', 1e308, 10)).toBeUndefined();
    expect(formatStat('string', Number.NaN)).toEqual({ ok: false, reason: '"NaN" is not a number' });
  });

  it('may be published as text, with all its digits', () => {
    expect(stat('string', 18_446_744_073_709_551_615n)).toBe('18446744073709551615');
    expect(stat('string', 0.5)).toBe('0.5');
    expect(stat('string', 3n, 0.5)).toBe('1.5');
  });

  it('of any size and scale is the exact product, cut', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: -12, max: 0 }), (whole, exponent) => {
        expect(stat('uint64', whole, Number(`1e${exponent}`))).toBe(String(whole / 10n ** BigInt(-exponent)));
      }),
    );
  });
});

describe('text for the log', () => {
  it('is one line of printable ASCII', () => {
    expect(escapeForLog('a\nb\tc\\d\u001b\u202e\u00e9\u{1f600}')).toBe(
      'a\\nb\\tc\\\\d\\u{1b}\\u{202e}\\u{e9}\\u{1f600}',
    );
    expect(escapeForLog('[]{}~ ')).toBe('[]{}~ ');
  });

  it('is cut to its length, never inside an escape', () => {
    expect(escapeForLog('x'.repeat(512))).toBe('x'.repeat(512));
    expect(escapeForLog('x'.repeat(513))).toBe(`${'x'.repeat(509)}...`);
    expect(escapeForLog('\u202e'.repeat(9), 20)).toBe('\\u{202e}\\u{202e}...');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.integer({ min: 8, max: 80 }), (text, max) => {
        expect(escapeForLog(text, max)).toMatch(/^[ -~]*$/);
        expect(escapeForLog(text, max).length).toBeLessThanOrEqual(max);
      }),
    );
  });
});
