import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Kernel } from './kernel.ts';
import { BUSYBOX, TOOL } from './tool.ts';

/** Precedes the name of each section in a guest's output; the last section is `END`. */
export const MARK = '@@@ ';
export const END = 'end';

const init = (modules: readonly string[]): string => `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
${modules.map((module) => `insmod /modules/${module}`).join('\n')}
sh /script 2>&1
echo; echo '${MARK}${END}'
# The serial line is slower than the end of the machine.
sleep 0.2
poweroff -f
`;

const FUNCTIONS = `# What udev does in other guests.
link_ports() {
  mkdir -p /dev/virtio-ports
  for name in /sys/class/virtio-ports/*/name; do
    port=\${name%/name}
    ln -s "../\${port##*/}" "/dev/virtio-ports/$(cat "$name")"
  done
}
section() { echo; echo "${MARK}$*"; }
`;

/** Makes the initial root file system of a guest: busybox, the modules, the tool, and a script. Returns its path. */
export const makeInitramfs = (kernel: Kernel, script: string, folder: string): string => {
  if (readFileSync(BUSYBOX).includes('/lib64/ld-linux'))
    throw new Error(`${BUSYBOX} is not statically linked, so guests cannot run it: install busybox-static`);
  const root = path.join(folder, 'root');
  for (const part of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules'])
    mkdirSync(path.join(root, part), { recursive: true });
  copyFileSync(BUSYBOX, path.join(root, 'bin/busybox'));
  copyFileSync(TOOL, path.join(root, 'bin/vm-dump-metrics'));
  for (const module of kernel.modules) copyFileSync(module, path.join(root, 'modules', path.basename(module)));
  writeFileSync(path.join(root, 'init'), init(kernel.modules.map((module) => path.basename(module))));
  writeFileSync(path.join(root, 'script'), FUNCTIONS + script);
  for (const program of ['init', 'bin/busybox', 'bin/vm-dump-metrics']) chmodSync(path.join(root, program), 0o755);
  const image = path.join(folder, 'initramfs');
  execFileSync('/bin/sh', ['-ec', 'find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$0"', image], { cwd: root });
  return image;
};
