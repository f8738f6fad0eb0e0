import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { lookAtDisk } from '../../src/client/read-disk.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/checksum-padding.ts';
import { canLoop, loopDevice } from '../support/loop-device.ts';
import { PATIENCE } from '../support/patience.ts';

const HOOK = fileURLToPath(new URL('../../conf/libvirt-hook', import.meta.url));
const ME = '11111111-2222-4333-8444-555555555555';
const OTHER = '99999999-2222-4333-8444-555555555555';

let root = '';
let applets = '';

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'vhostmd-hook-'));
  // Users other than root need access to their folders.
  chmodSync(root, 0o755);
  applets = join(root, 'busybox');
  mkdirSync(applets);
  // All commands are busybox's, not only the shell.
  spawnSync('busybox', ['--install', '-s', applets]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const newFolder = (): string => mkdtempSync(join(root, 'disks-'));

/** Returns a domain's XML as libvirt prints it before a start. */
const domain = (sources: string, { name = 'vm', description = '', metadata = '' } = {}): string => `<domain type='kvm'>
  <name>${name}</name>
  <uuid>${ME}</uuid>
  <description>${description}</description>
  <metadata>
    ${metadata}
  </metadata>
  <memory unit='KiB'>16384</memory>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/vm.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      ${sources}
      <target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
  </devices>
</domain>
`;

const relabel = "<seclabel model='dac' relabel='no'/>";
const source = (file: string): string => `<source file='${file}'>\n        ${relabel}\n      </source>`;

/** A shell: its name, its command, and true if all other commands are busybox's, too. */
type Shell = readonly [name: string, command: readonly [string, ...string[]], applets: boolean];

const DASH: Shell = ['dash', ['dash'], false];
const SHELLS: readonly Shell[] = [DASH, ['busybox', ['busybox', 'sh'], true], ['bash', ['bash', '--posix'], false]];

interface HookOptions {
  readonly shell?: Shell;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the hook as libvirt does; it must succeed and print nothing on stdout. Returns stderr. */
const hook = (
  folder: string,
  xml: string,
  { shell = DASH, args = ['prepare', 'begin', '-'], env = {} }: HookOptions = {},
): string => {
  const [, [command, ...options], busybox] = shell;
  const { status, stdout, stderr } = spawnSync(command, [...options, HOOK, 'vm', ...args], {
    input: xml,
    env: {
      PATH: busybox ? applets : (process.env['PATH'] ?? ''),
      VHOSTMD_VM_DISK: join(folder, 'UUID.disk'),
      VHOSTMD_DISK: '',
      ...env,
    },
    encoding: 'utf8',
    timeout: 30_000 * PATIENCE,
    maxBuffer: 1 << 30,
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  return stderr;
};

/** Runs the hook with this text as /etc/default/vhostmd, in its own mount namespace. */
const hookWithDefaults = (text: string, folder: string, [, command, busybox]: Shell): string => {
  const defaults = join(folder, 'defaults');
  mkdirSync(defaults);
  writeFileSync(join(defaults, 'vhostmd'), text);
  const { status, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', 'mount --bind "$0" /etc/default && PATH=$1 && shift && exec "$@"', defaults]
      .concat(busybox ? applets : (process.env['PATH'] ?? ''), '/usr/bin/env', ...command)
      .concat(HOOK, 'vm', 'prepare', 'begin', '-'),
    {
      input: domain(source(pathOf(folder))),
      env: { PATH: process.env['PATH'] },
      encoding: 'utf8',
      timeout: 30_000 * PATIENCE,
    },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return pathOf(folder);
};

const pathOf = (folder: string, uuid = ME): string => join(folder, `${uuid}.disk`);

describe.each(SHELLS)("libvirt's hook under %s", (...shell) => {
  it('makes the disk that the XML names, empty and valid, readable by all, and nothing else', () => {
    const folder = newFolder();
    expect(hook(folder, domain(source(pathOf(folder))), { shell })).toBe('');
    const path = pathOf(folder);
    expect(readdirSync(folder)).toEqual([`${ME}.disk`]);
    expect(statSync(path)).toMatchObject({ size: 65_536, mode: 0o100644, nlink: 1 });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(65_536);
    const look = lookAtDisk(path);
    expect(look.kind === 'content' && look.content.toString()).toBe('<metrics>\n</metrics>\n');
    const bytes = readFileSync(path);
    expect(bytes.subarray(37).equals(Buffer.alloc(65_536 - 37))).toBe(true);
    const disk = openDisk({ path, size: 65_536 }, uniqueSums());
    disk.close();
    expect(disk.found).toBe('a valid document');
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it.each([
    ['double quotes', (path: string) => domain(`<source file="${path}" index="2"/>`)],
    ['other attributes', (path: string) => domain(`<source startupPolicy='optional' file='${path}' index='2'/>`)],
    ['no white space', (path: string) => domain(source(path)).replaceAll(/\n\s*/g, '')],
    ['line breaks in the name', (path: string) => domain(source(path), { name: 'a\n\n\n&lt;uuid&gt;\nb' })],
  ])('understands XML with %s', (_, xml) => {
    const folder = newFolder();
    hook(folder, xml(pathOf(folder)), { shell });
    expect(existsSync(pathOf(folder))).toBe(true);
  });

  it('makes nothing for a VM without a private disk', () => {
    const folder = newFolder();
    hook(folder, domain("<source file='/dev/shm/vhostmd0'/>"), { shell });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['release', 'end'],
    ['start', 'begin'],
    ['migrate', 'begin'],
    ['restore', 'begin'],
    ['reconnect', 'begin'],
  ])('does nothing at %s %s, and leaves the XML as it is', (...args) => {
    const folder = newFolder();
    hook(folder, domain(source(pathOf(folder))), { shell, args: [...args, '-'] });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves a file that exists as it is, whatever is in it', () => {
    const folder = newFolder();
    writeFileSync(pathOf(folder), 'precious');
    const before = statSync(pathOf(folder));
    hook(folder, domain(source(pathOf(folder))), { shell });
    expect(readFileSync(pathOf(folder), 'utf8')).toBe('precious');
    expect(statSync(pathOf(folder))).toEqual({ ...before, atime: expect.any(Date), atimeMs: expect.any(Number) });
  });

  it('follows no symbolic link, to a file, a folder, or nothing', () => {
    for (const target of ['file', 'folder', 'nothing']) {
      const folder = newFolder();
      const other = newFolder();
      if (target === 'file') writeFileSync(join(other, target), 'precious');
      if (target === 'folder') mkdirSync(join(other, target));
      symlinkSync(join(other, target), pathOf(folder));
      hook(folder, domain(source(pathOf(folder))), { shell });
      expect(readlinkSync(pathOf(folder))).toBe(join(other, target));
      expect(readdirSync(folder)).toEqual([`${ME}.disk`]);
      expect(readdirSync(other)).toEqual(target === 'nothing' ? [] : [target]);
      if (target === 'folder') expect(readdirSync(join(other, target))).toEqual([]);
    }
  });

  it('reaches no file but that of the own UUID, whatever the tenant writes into the XML', () => {
    const [folder, elsewhere] = [newFolder(), newFolder()];
    const evil = [
      pathOf(folder, OTHER),
      join(elsewhere, 'x'),
      `${folder}/../${ME}.disk`,
      join(folder, `${ME}.disk.evil`),
      join(folder, '$(touch evil).disk'),
      join(folder, '`touch evil`.disk'),
      `/proc/self/fd/1`,
    ];
    const metadata = evil
      .map((file) => `<a:domain xmlns:a='a'><uuid>${OTHER}</uuid>${source(file)}</a:domain>`)
      .join('');
    hook(
      folder,
      domain(evil.map(source).join(''), { metadata, name: '-n $(touch evil) &apos;', description: metadata }),
      {
        shell,
      },
    );
    expect([...readdirSync(folder), ...readdirSync(elsewhere)]).toEqual([]);
    expect(existsSync('evil')).toBe(false);
  });

  it('does nothing where the UUID is none, missing, or behind other XML', () => {
    const folder = newFolder();
    const xml = domain(source(pathOf(folder)));
    for (const uuid of ['', '..', `../${ME}`, `${ME}0`.toUpperCase(), 'x'.repeat(36)])
      hook(folder, xml.replaceAll(ME, uuid), { shell });
    hook(folder, xml.replace(/<uuid>.*<\/uuid>/, ''), { shell });
    hook(folder, '', { shell });
    hook(folder, 'no XML', { shell });
    hook(folder, '\0\xff<\0uuid>', { shell });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('finds the disk behind 10 MB of metadata, on one line or many', () => {
    for (const filler of ['x'.repeat(1 << 20), '<b>y</b>'.repeat(1 << 17), '<c/>\n'.repeat(1 << 18)]) {
      const folder = newFolder();
      hook(folder, domain(source(pathOf(folder)), { metadata: filler.repeat(10) }), { shell });
      expect(readdirSync(folder)).toEqual([`${ME}.disk`]);
    }
  });

  it('makes a missing folder; if it cannot, it still succeeds and says why on stderr', () => {
    const folder = join(newFolder(), 'run', 'vhostmd');
    hook(folder, domain(source(pathOf(folder))), { shell });
    expect(statSync(folder).mode & 0o7777).toBe(0o755);
    expect(readdirSync(folder)).toEqual([`${ME}.disk`]);
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    const below = join(file, 'folder');
    expect(hook(below, domain(source(pathOf(below))), { shell })).not.toBe('');
    expect(hook('/proc/1', domain(source(pathOf('/proc/1'))), { shell })).not.toBe('');
  });

  it('gives the disk to the owner of the folder', () => {
    const folder = newFolder();
    chownSync(folder, 65_534, 65_534);
    hook(folder, domain(source(pathOf(folder))), { shell });
    expect(statSync(pathOf(folder))).toMatchObject({ uid: 65_534, gid: 65_534, mode: 0o100644 });
  });

  it('has its size from its settings, and 64 KiB where they make no sense', () => {
    for (const [kib, size] of [
      ['128', 128],
      ['100', 128],
      ['0', 64],
      ['08', 64],
      ['-5', 64],
      ['1e9', 64],
      ['99999999999999999999', 64],
      ['$(touch evil)', 64],
    ] as const) {
      const folder = newFolder();
      hook(folder, domain(source(pathOf(folder))), { shell, env: { VHOSTMD_VM_DISK_KIB: kib } });
      expect(statSync(pathOf(folder)).size, kib).toBe(size * 1024);
      expect(lookAtDisk(pathOf(folder)).kind).toBe('content');
    }
  });

  it('reads /etc/default/vhostmd line by line, and runs nothing of it', () => {
    const folder = newFolder();
    const made = join(folder, 'made');
    const lines = [
      '# VHOSTMD_VM_DISK=/nowhere/UUID.disk',
      `VHOSTMD_VM_DISK="${join(folder, 'UUID.disk')}"`,
      `touch ${made}; OTHER=$(touch ${made})`,
      "if [ 'an unfinished line",
      "VHOSTMD_VM_DISK_KIB='128'",
    ];
    const path = hookWithDefaults(lines.join('\n'), folder, shell);
    expect(statSync(path).size).toBe(128 * 1024);
    expect(existsSync(made)).toBe(false);
  });

  it('takes a pattern with the token in a folder, and several times, and none without the token', () => {
    const folder = newFolder();
    const path = join(folder, `vm-${ME}`, `disk-${ME}`);
    hook(folder, domain(source(path)), { shell, env: { VHOSTMD_VM_DISK: join(folder, 'vm-UUID', 'disk-UUID') } });
    expect(lookAtDisk(path).kind).toBe('content');
    hook(folder, domain(source(join(folder, 'fixed'))), { shell, env: { VHOSTMD_VM_DISK: join(folder, 'fixed') } });
    expect(existsSync(join(folder, 'fixed'))).toBe(false);
  });
});

// A user without other processes, who owns the folder of private disks: the service's user, taken over by an attacker.
const ATTACKER = 61_234;

const ownedFolder = (owner = ATTACKER, mode = 0o755): string => {
  const folder = newFolder();
  chmodSync(folder, mode);
  chownSync(folder, owner, owner);
  return folder;
};

const owners = (folder: string): readonly string[] =>
  readdirSync(folder).map((name) => {
    const { uid, nlink } = lstatSync(join(folder, name));
    return `${name} ${uid} ${nlink}`;
  });

describe.each(SHELLS)("libvirt's hook as root under %s, in a folder of the service's user", (...shell) => {
  it('CASE F1: writes to no device and gives none away, whatever link is planted for the draft', () => {
    const folder = ownedFolder();
    const device = join(newFolder(), 'device');
    expect(spawnSync('mknod', [device, 'c', '1', '3']).status).toBe(0);
    const { pid } = spawnSync('true');
    for (let next = pid; next < pid + 500; next += 1) symlinkSync(device, join(folder, `.vhostmd-hook.${next}`));
    hook(folder, domain(source(pathOf(folder))), { shell });
    expect(lstatSync(device)).toMatchObject({ uid: 0, gid: 0 });
    expect(statSync(pathOf(folder))).toMatchObject({ uid: ATTACKER, gid: ATTACKER, nlink: 1, size: 65_536 });
  });

  it.runIf(canLoop)('CASE F1: changes no byte and no owner of a block device, wherever links to it are planted', () => {
    const { path: device, end } = loopDevice(Buffer.alloc(1 << 20, 'precious '));
    const { uid, gid, mode } = statSync(device);
    // Links for the drafts of the next processes, and for the disk itself.
    const [drafts, disk] = [ownedFolder(), ownedFolder()];
    try {
      const { pid } = spawnSync('true');
      for (let next = pid; next < pid + 500; next += 1) symlinkSync(device, join(drafts, `.vhostmd-hook.${next}`));
      symlinkSync(device, pathOf(disk));
      for (const folder of [drafts, disk]) hook(folder, domain(source(pathOf(folder))), { shell });
    } finally {
      expect(end()).toEqual({ changed: false, uid, gid, mode });
    }
    expect(statSync(pathOf(drafts))).toMatchObject({ uid: ATTACKER, gid: ATTACKER, nlink: 1, size: 65_536 });
    expect(readlinkSync(pathOf(disk))).toBe(device);
  });

  it('CASE F1: leaves a fifo, a device, a hard link and a link to a folder at the name of the disk alone', () => {
    const treasure = newFolder();
    writeFileSync(join(treasure, 'file'), 'precious');
    const plants: readonly ((path: string) => unknown)[] = [
      (path) => spawnSync('mkfifo', [path]),
      (path) => spawnSync('mknod', [path, 'c', '1', '3']),
      (path) => linkSync(join(treasure, 'file'), path),
      (path) => symlinkSync(treasure, path),
    ];
    for (const plant of plants) {
      const folder = ownedFolder();
      plant(pathOf(folder));
      const before = owners(folder);
      hook(folder, domain(source(pathOf(folder))), { shell });
      expect(owners(folder)).toEqual(before);
    }
    expect(readdirSync(treasure)).toEqual(['file']);
    expect(readFileSync(join(treasure, 'file'), 'utf8')).toBe('precious');
  });

  it("CASE F1: makes nothing in a folder of root's that a folder of that user has been swapped for", () => {
    const [parent, treasure] = [ownedFolder(), ownedFolder(0)];
    symlinkSync(treasure, join(parent, 'disks'));
    const path = join(parent, 'disks', `${ME}.disk`);
    const env = { VHOSTMD_VM_DISK: join(parent, 'disks', 'UUID.disk') };
    expect(hook(parent, domain(source(path)), { shell, env })).toContain(
      `${path} could not be made as user ${ATTACKER}`,
    );
    // A missing folder is created as that user, too.
    const missing = join(parent, 'disks', ME, 'disk');
    hook(parent, domain(source(missing)), { shell, env: { VHOSTMD_VM_DISK: join(parent, 'disks', 'UUID', 'disk') } });
    expect(readdirSync(treasure)).toEqual([]);
  });

  it("CASE F1: makes the folder of a domain as that user, and goes through a link of root's", () => {
    const [folder, links] = [ownedFolder(), ownedFolder(0)];
    symlinkSync(folder, join(links, 'disks'));
    const path = join(links, 'disks', ME, 'disk');
    hook(links, domain(source(path)), { shell, env: { VHOSTMD_VM_DISK: join(links, 'disks', 'UUID', 'disk') } });
    expect(owners(folder)).toEqual([`${ME} ${ATTACKER} 2`]);
    expect(owners(join(folder, ME))).toEqual([`disk ${ATTACKER} 1`]);
  });

  it("CASE F1: goes through no link of that user's that a link of root's leads to", () => {
    for (const relative of [false, true]) {
      const [parent, links, treasure] = [ownedFolder(), ownedFolder(0), ownedFolder(0)];
      symlinkSync(treasure, join(parent, 'disks'));
      const to = join(parent, 'disks');
      symlinkSync(relative ? `../${basename(parent)}/disks` : to, join(links, 'disks'));
      const path = join(links, 'disks', `${ME}.disk`);
      const env = { VHOSTMD_VM_DISK: join(links, 'disks', 'UUID.disk') };
      expect(hook(links, domain(source(path)), { shell, env })).toContain(`could not be made as user ${ATTACKER}`);
      expect(readdirSync(treasure)).toEqual([]);
    }
  });

  it("CASE F1: makes nothing by way of links of root's that lead to each other", () => {
    const folder = ownedFolder(0);
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    const path = join(folder, 'a', `${ME}.disk`);
    hook(folder, domain(source(path)), { shell, env: { VHOSTMD_VM_DISK: join(folder, 'a', 'UUID.disk') } });
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
  });

  it("CASE F1: acts as root only in folders of root's that nobody else may write, or that are sticky", () => {
    const group = ownedFolder(0, 0o775);
    expect(hook(group, domain(source(pathOf(group))), { shell })).toContain(`chmod go-w ${group}`);
    expect(readdirSync(group)).toEqual([]);
    const sticky = ownedFolder(0, 0o1777);
    hook(sticky, domain(source(pathOf(sticky))), { shell });
    expect(owners(sticky)).toEqual([`${ME}.disk 0 1`]);
  });

  it('CASE A3: makes the shared disk, which a VM has before the daemon has started after a boot', () => {
    const folder = newFolder();
    const [path, env] = [join(folder, 'shared'), { VHOSTMD_DISK: join(folder, 'shared') }];
    hook(folder, domain(source(path) + source(pathOf(folder))), { shell, env: { ...env, VHOSTMD_DISK_KIB: '200' } });
    expect(readdirSync(folder).sort()).toEqual([`${ME}.disk`, 'shared']);
    expect(statSync(path)).toMatchObject({ size: 256 * 1024, mode: 0o100644, nlink: 1 });
    expect(lookAtDisk(path).kind).toBe('content');
    rmSync(path);
    hook(folder, domain(source(join(folder, 'other'))), { shell, env });
    hook(folder, domain(source(path)), { shell });
    expect(readdirSync(folder)).toEqual([`${ME}.disk`]);
  });
});

describe("libvirt's hook", () => {
  it('CASE F1: makes nothing elsewhere while that user swaps the folder all the time', async () => {
    const [parent, treasure] = [ownedFolder(), ownedFolder(0)];
    const swap = `mkdir disks; ln -s ${treasure} link; while :; do mv -T disks real; mv -T link disks; mv -T disks link; mv -T real disks; done`;
    const attacker = spawn('sh', ['-c', swap], { cwd: parent, uid: ATTACKER, gid: ATTACKER, stdio: 'ignore' });
    const ended = new Promise((resolve) => attacker.once('exit', resolve));
    const path = join(parent, 'disks', `${ME}.disk`);
    try {
      for (let tries = 0; tries < 20; tries += 1) {
        hook(parent, domain(source(path)), { env: { VHOSTMD_VM_DISK: join(parent, 'disks', 'UUID.disk') } });
        expect(readdirSync(treasure)).toEqual([]);
      }
    } finally {
      attacker.kill('SIGKILL');
      await ended;
    }
  });

  it.runIf(canLoop)(
    'CASE F1: changes no block device while that user puts links to it in the place of drafts',
    async () => {
      const folder = ownedFolder();
      const content = Buffer.alloc(1 << 20, 'precious ');
      const { path: device, end } = loopDevice(content);
      const { uid, gid, mode } = statSync(device);
      // Replaces the folder of a draft by one in which the draft links to the device.
      const swap = `const { mkdirSync, readdirSync, renameSync, symlinkSync } = require('node:fs');
      const seen = new Set();
      for (;;) for (const name of readdirSync('.')) {
        if (!name.startsWith('.vhostmd-hook.') || seen.has(name)) continue;
        seen.add(name);
        const evil = 'evil' + seen.size;
        mkdirSync(evil);
        symlinkSync('${device}', evil + '/disk');
        try { renameSync(name, 'draft' + seen.size); symlinkSync(evil, name); } catch {}
      }`;
      const attacker = spawn(process.execPath, ['-e', swap], {
        cwd: folder,
        uid: ATTACKER,
        gid: ATTACKER,
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => attacker.once('exit', resolve));
      try {
        for (let tries = 0; tries < 20; tries += 1) {
          hook(folder, domain(source(pathOf(folder))));
          rmSync(pathOf(folder), { force: true });
        }
      } finally {
        attacker.kill('SIGKILL');
        await ended;
        expect(end()).toEqual({ changed: false, uid, gid, mode });
      }
    },
  );

  it.each(['true', 'mktemp'])('CASE F1: holds no start up where that user stops what it runs: %s', (command) => {
    const folder = ownedFolder();
    // Each command that runs as that user stops itself and its shell, as if that user had sent the signal.
    const stop = join(folder, 'stop');
    mkdirSync(stop);
    const script = `#!/bin/sh\n[ ${command} = true ] || kill -STOP $PPID\nkill -STOP $$\n`;
    writeFileSync(join(stop, command), script, { mode: 0o755 });
    hook(folder, domain(source(pathOf(folder))), { env: { PATH: `${stop}:${process.env['PATH'] ?? ''}` } });
    expect(existsSync(pathOf(folder))).toBe(false);
  });

  it('is executable', () => {
    expect(statSync(HOOK).mode & 0o111).toBe(0o111);
  });

  it('passes shellcheck', () => {
    const { stdout, status } = spawnSync('shellcheck', ['-s', 'sh', HOOK], { encoding: 'utf8' });
    expect([stdout, status]).toEqual(['', 0]);
  });

  it('ends although its stdin never does', () => {
    const folder = newFolder();
    const run = `VHOSTMD_VM_DISK='${folder}/UUID.disk' sh '${HOOK}' vm prepare begin -; echo "ended with $?"; kill "$sleep"`;
    const script = `mkfifo '${folder}/in'; sleep 300 >'${folder}/in' & sleep=$!; { ${run}; } <'${folder}/in'`;
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8', timeout: 50_000 * PATIENCE });
    expect(stdout).toBe('ended with 0\n');
    expect(readdirSync(folder)).toEqual(['in']);
  });
});
