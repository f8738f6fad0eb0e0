import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { LibvirtError } from '../../../src/sources/libvirt/call.ts';
import { hasDacModel, isNotAllowed, openDomains$ } from '../../../src/sources/libvirt/domain-devices.ts';

// libvirt's embedded driver has one running domain, `test`, with id 1.
const URI = 'test:///default';
const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';

describe('a connection to single domains', () => {
  it.each([
    ['test', ['name']],
    ['1', ['id']],
    [UUID, ['uuid']],
    [UUID.toUpperCase(), ['uuid']],
    ['2', []],
    ['tes', []],
    ['', []],
    ['1 ', []],
    ['99999999999999999999', []],
    [UUID.replace('6', '7'), []],
  ])('finds a domain by its id, UUID or name: %j', async (word, by) => {
    const access = await firstValueFrom(openDomains$(URI, false));
    const found = await firstValueFrom(access.find$(word));
    expect(found).toEqual(by.map((one) => ({ by: one, domain: { name: 'test', id: 1, uuid: UUID } })));
    await firstValueFrom(access.close$());
  });

  it('has the names of the domains, whether one is persistent, and its XML', async () => {
    const access = await firstValueFrom(openDomains$(URI, false));
    const [match] = await firstValueFrom(access.find$('test'));
    if (match === undefined) throw new Error('no domain');
    expect(await firstValueFrom(access.names$())).toEqual(['test']);
    expect(await firstValueFrom(access.isPersistent$(match.domain))).toBe(true);
    expect(await firstValueFrom(access.hasDac$())).toBe(false);
    expect(await firstValueFrom(access.xml$(match.domain, 'live'))).toMatch(/^<domain type='test' id='1'>/);
    expect(await firstValueFrom(access.xml$(match.domain, 'persistent'))).toMatch(/^<domain type='test'>/);
    await firstValueFrom(access.close$());
  });

  it('changes nothing if it was opened to look only', async () => {
    const access = await firstValueFrom(openDomains$(URI, false));
    const [match] = await firstValueFrom(access.find$('test'));
    if (match === undefined) throw new Error('no domain');
    const refused = firstValueFrom(access.attach$(match.domain, '<disk/>', 'persistent'));
    await expect(refused).rejects.toThrow(/read-only|read only|not permitted|not supported/i);
    await firstValueFrom(access.close$());
  });
});

describe('the security model dac', () => {
  const model = (name: string): string =>
    `<secmodel>\n      <model>${name}</model>\n      <doi>0</doi>\n    </secmodel>`;
  it.each([
    ['of the system instance', model('none') + model('dac'), true],
    ['beside another one', model('apparmor') + model('dac'), true],
    ['of the session instance', model('none'), false],
    ['of a host without any', '<cpu><model>dac</model></cpu>', false],
  ])('is found in the capabilities %s', (_which, models, expected) => {
    expect(hasDacModel(`<capabilities>\n  <host>\n    ${models}\n  </host>\n</capabilities>`)).toBe(expected);
  });
});

describe('a failure for want of rights', () => {
  it.each([
    [new LibvirtError('authentication unavailable: no polkit agent', 94), true],
    [new LibvirtError('access denied by policy', 45), true],
    [new LibvirtError("Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied", 38), true],
    [new LibvirtError("Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory", 38), false],
    [new LibvirtError('Domain not found', 42), false],
    [new Error('Permission denied'), false],
  ])('is distinguished from others: %s', (error, expected) => {
    expect(isNotAllowed(error)).toBe(expected);
  });
});
