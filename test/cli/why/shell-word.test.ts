import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { domainWord, filled, shellWord } from '../../../src/cli/why/shell-word.ts';
import { domain } from './seen.ts';

const { uuid } = domain('any');

describe('The word for a domain in a command', () => {
  it.each(['web1', 'web-1.example_org', 'a+b'])('is its name: %s', (name) => {
    expect(domainWord({ name, uuid })).toBe(name);
  });

  it.each(['my vm', "it's", '$(reboot)', '`id`', 'a;b', '"', '*', '~', '#x', 'a\\b'])(
    'is its quoted name, which a shell reads as the name: %s',
    (name) => {
      const word = domainWord({ name, uuid });
      expect(execFileSync('/bin/sh', ['-c', `printf %s ${word}`], { encoding: 'utf8' })).toBe(name);
    },
  );

  it.each(['-x', '--help', '7', uuid, 'a\nb', '\u001b[2J', 'müller', '\u202eabc', ''])(
    'is its UUID, as virsh or a terminal could misread the name: %j',
    (name) => {
      expect(domainWord({ name, uuid })).toBe(uuid);
    },
  );
});

describe('A command of the decision table', () => {
  it('gets the names of the domain, the disk and the interface', () => {
    const names = { domain: { name: 'my vm', uuid }, disk: 'sdb', interface: 'vnet3' };
    expect(filled('virsh blockjob DOMAIN vda --info', names)).toBe("virsh blockjob 'my vm' sdb --info");
    expect(filled('tc -s qdisc show dev INTERFACE', names)).toBe('tc -s qdisc show dev vnet3');
  });

  it('keeps the words for a disk and an interface that nobody knows, or that a shell could misread', () => {
    const names = { domain: { name: 'web1', uuid }, interface: 'a\nb' };
    expect(filled('virsh domblkstat DOMAIN vda', names)).toBe('virsh domblkstat web1 vda');
    expect(filled('show dev INTERFACE', names)).toBe('show dev INTERFACE');
  });

  it('fills a name once, whatever it contains', () => {
    expect(filled('DOMAIN vda', { domain: { name: 'vda', uuid }, disk: 'DOMAIN' })).toBe('vda DOMAIN');
    expect(filled('DOMAIN', { domain: { name: '$&', uuid } })).toBe("'$&'");
  });

  it('is left out if it needs the name in a path and the name is no plain word', () => {
    const command = 'cat /run/libvirt/qemu/DOMAIN.pid';
    expect(filled(command, { domain: { name: 'web1', uuid } })).toBe('cat /run/libvirt/qemu/web1.pid');
    expect(filled(command, { domain: { name: '../../etc', uuid } })).toBeUndefined();
    expect(filled(command, { domain: { name: 'my vm', uuid } })).toBeUndefined();
  });
});

it('shellWord refuses what a terminal might not show', () => {
  expect(shellWord('a\tb')).toBeUndefined();
  expect(shellWord('')).toBeUndefined();
});
