import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// Where libvirt's drivers keep the domains that are defined; for root's eyes only.
const FOLDERS = ['/etc/libvirt/qemu', '/etc/libvirt/libxl'];

// The first is the domain's own: only its name stands before it, in which libvirt escapes every "<".
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

/** UUIDs of the domains that are defined on this host, read from libvirt's files: it need not run. */
export const definedUuids = (): readonly string[] => [...new Set(FOLDERS.flatMap(xmlFiles).flatMap(uuidOf))];
