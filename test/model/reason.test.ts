import { describe, expect, it } from 'vitest';

import { causeOf, codeOf, isDenied, reasonOf } from '../../src/model/reason.ts';

const systemError = (code: unknown, message = '', path?: string): Error =>
  Object.assign(new Error(message), { code }, path === undefined ? {} : { path });

describe('the reason of a thrown value', () => {
  it('is its message or its text, whatever it is', () => {
    expect(reasonOf(new Error('broken'))).toBe('broken');
    expect(reasonOf('broken')).toBe('broken');
    expect(reasonOf(undefined)).toBe('undefined');
    expect(reasonOf(Object.create(null))).toBe('something without a text');
  });

  it('lacks the path, where the message of the caller has that, and only there', () => {
    const text = "ENOENT: no such file or directory, open '/a/b, c'";
    expect(causeOf(systemError('ENOENT', text, '/a/b, c'))).toBe('ENOENT: no such file or directory');
    expect(causeOf(systemError('ENOENT', "no file, open '/a\nb'", '/a\nb'))).toBe('no file');
    expect(causeOf(systemError('ENOENT', "no file, open '/a' yet", '/a'))).toBe("no file, open '/a' yet");
    expect(causeOf(new Error(text))).toBe(text);
    expect(causeOf({ path: '/a', toString: () => text })).toBe(text);
  });
});

describe('the code of an error', () => {
  it('is that of the system, else there is none', () => {
    expect(codeOf(systemError('ENOENT'))).toBe('ENOENT');
    expect(codeOf(systemError(5))).toBeUndefined();
    expect(codeOf(new Error('ENOENT'))).toBeUndefined();
    expect(codeOf({ code: 'ENOENT' })).toBeUndefined();
    expect(codeOf(undefined)).toBeUndefined();
  });

  it('shows whether the system denied a permission', () => {
    const denied = ['EACCES', 'EPERM', 'ENOENT', undefined].map((code) => isDenied(systemError(code)));
    expect(denied).toEqual([true, true, false, false]);
  });
});
