import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A kernel and the modules that a guest inserts, in this order, without those that are built in. */
export interface Kernel {
  readonly image: string;
  readonly modules: readonly string[];
}

const MODULES = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci',
  'drivers/virtio/virtio_balloon',
  'drivers/block/virtio_blk',
  'drivers/char/virtio_console',
];

// Depends on the package of the newest kernel for virtual machines, which is the smallest.
const PACKAGE = 'linux-image-cloud-amd64';

/** Returns the first kernel under a root folder that has all modules of guests. */
const kernelUnder = (root: string): Kernel | undefined => {
  const boot = path.join(root, 'boot');
  for (const name of existsSync(boot) ? readdirSync(boot) : []) {
    if (!name.startsWith('vmlinuz-')) continue;
    const folder = path.join(root, 'lib/modules', name.slice('vmlinuz-'.length));
    const builtIn = path.join(folder, 'modules.builtin');
    const built = existsSync(builtIn) ? readFileSync(builtIn, 'utf8') : '';
    const wanted = MODULES.filter((module) => !built.includes(`kernel/${module}.ko`));
    // Inserting compressed modules would need another program.
    const modules = wanted.map((module) => path.join(folder, 'kernel', `${module}.ko`));
    if (modules.every((module) => existsSync(module))) return { image: path.join(boot, name), modules };
  }
  return undefined;
};

const apt = (...args: readonly string[]): string =>
  execFileSync('apt-cache', args, { encoding: 'utf8', stdio: 'pipe' });

/** Returns name and version of the newest package in apt's lists. */
const newestPackage = (): { readonly name: string; readonly version: string } => {
  const name = /Depends: (linux-image-\S+)/.exec(apt('depends', PACKAGE))?.[1];
  const version = name === undefined ? undefined : /^Version: (\S+)/m.exec(apt('show', name))?.[1];
  if (name === undefined || version === undefined) throw new Error(`apt knows no package ${PACKAGE}`);
  return { name, version };
};

const unpack = (name: string, folder: string): void => {
  execFileSync('apt-get', ['download', name], { cwd: folder, stdio: 'pipe' });
  const archive = readdirSync(folder).find((file) => file.endsWith('.deb')) ?? '';
  const parts = ['./boot', ...MODULES.map((module) => `./lib/modules/*/kernel/${module}.ko`)];
  const command = 'mkdir root; dpkg-deb --fsys-tarfile "$0" | tar -x -C root --wildcards "$@"';
  execFileSync('/bin/sh', ['-ec', command, archive, ...parts], { cwd: folder, stdio: 'pipe' });
};

const cached = (): string => {
  const { name, version } = newestPackage();
  // A cache without a new module is none.
  const cache = path.join(tmpdir(), `vhostmd-kernel-${process.getuid?.()}-${name}-${version}-${MODULES.length}`);
  if (existsSync(cache)) return cache;
  const scratch = mkdtempSync(path.join(tmpdir(), 'vhostmd-kernel-'));
  try {
    unpack(name, scratch);
    // Two tests may fetch it at the same time.
    if (!existsSync(cache)) renameSync(path.join(scratch, 'root'), cache);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return cache;
};

const fetchKernel = (): Kernel => {
  let cache: string;
  try {
    cache = cached();
  } catch {
    // The package lists are missing or old.
    try {
      execFileSync('apt-get', ['update'], { stdio: 'pipe' });
      cache = cached();
    } catch (cause) {
      throw new Error(`This machine has no kernel that fits, and ${PACKAGE} cannot be fetched`, { cause });
    }
  }
  const kernel = kernelUnder(cache);
  if (kernel === undefined) throw new Error(`The kernel in ${cache} has not all modules that guests need`);
  return kernel;
};

/** Returns a kernel for guests: this machine's, or that of Debian's package, which is fetched once. */
export const findKernel = (): Kernel => kernelUnder('/') ?? fetchKernel();
