import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// Folders in which libvirt's drivers store defined domains; only root can read them.
const FOLDERS = ['/etc/libvirt/qemu', '/etc/libvirt/libxl'];

// The first match is the domain's own UUID: only the name precedes it, in which libvirt escapes every "<".
const UUID = /<uuid>\s*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*<\/uuid>/;

const xmlFiles = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder).flatMap((name) => (name.endsWith('.xml') ? [join(folder, name)] : []));
  } catch {
    return [];
  }
};

const uuidOf = (file: string): readonly string[] => {
  try {
    const xml = readFileSync(file, 'utf8').replaceAll(/<!--.*?-->/gs, '');
    return UUID.exec(xml)?.slice(1) ?? [];
  } catch {
    return [];
  }
};

/** Returns the UUIDs of the domains defined on this host, from libvirt's files: libvirt need not run. */
export const definedUuids = (): readonly string[] => [...new Set(FOLDERS.flatMap(xmlFiles).flatMap(uuidOf))];
