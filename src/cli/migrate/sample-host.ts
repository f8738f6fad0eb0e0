import type { Domain } from '../../model/metric.ts';
import { success } from '../../model/result.ts';
import type { HostFacts } from '../../sources/libvirt/types.ts';
import { refuse } from './not-understood.ts';
import { sampleFiles } from './sample-files.ts';
import { choiceOf, type Profile, PROFILES } from './sample-values.ts';

/**
 * Version of the package of `free` and `vmstat`: 3 (RHEL 8 and 9, SLES 15) or 4. They count used memory otherwise, and
 * `vmstat` names what was paged otherwise.
 */
export type Procps = 3 | 4;

/** An invented host: the inputs of commands and files, and of the daemon. */
export interface SampleHost {
  /** True if no pipeline has to round there. */
  readonly exact: boolean;
  readonly procps: Procps;
  readonly pageSize: number;
  readonly hostname: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly osRelease: ReadonlyMap<string, string>;
  readonly facts: HostFacts;
  /** Version of libvirt. */
  readonly libvirt: string;
  readonly domain: Domain;
  /** Statistics of the domain by libvirt's names. */
  readonly statistics: ReadonlyMap<string, number>;
  /** Variables that the daemon gives to an action. */
  readonly environment: ReadonlyMap<string, string>;
  /** Returns the text of a file; refuses one that is not known. */
  readonly file: (path: string) => string;
  readonly exists: (path: string) => boolean;
}

/** Ticks per second in /proc/stat, on all architectures that run Linux now. */
export const CLOCK_TICKS = 100;
/** Exists where Xen runs. */
export const XEN = '/proc/xen/privcmd';

/** Invents a host. */
export const sampleHost = (profile: Profile, procps: Procps, xen: boolean): SampleHost => {
  const { seed, exact, pageSize } = profile;
  const choice = choiceOf(profile);
  const { memory, ticks, small, word } = choice;
  const words = (count: number): string => Array.from({ length: count }, word).join(' ');
  const version = (): string => [small(1, 90), small(1, 90), small(1, 90)].join('.');
  const cpus = small(4, 64);
  // Of one to four labels.
  const labels = (count: number): string => [`node-${word()}`, ...Array.from({ length: count }, word)].join('.');
  const hostname = labels(seed % 4);
  const osRelease = new Map([
    ['NAME', words(1 + (seed % 4))],
    ['VERSION', words(2)],
    ['ID', word()],
    ['PRETTY_NAME', words(3)],
    ['VERSION_ID', version()],
    ['VERSION_CODENAME', word()],
    ['CPE_NAME', words(1)],
    ['VENDOR_NAME', words(1 + ((seed + 1) % 4))],
  ]);
  const domain = {
    id: small(100, 1000),
    name: `vm-${word()}`,
    uuid: `6be3fdb8-bef5-6fec-b1b7-${small(1e11, 9e11)}`,
  };
  const files = sampleFiles(choice, { cpus, hostname, osRelease, exact });
  return {
    exact,
    procps,
    pageSize,
    hostname,
    time: small(1.7e9, 1.8e9),
    osRelease,
    facts: {
      'host.cpus': success(cpus),
      'host.product': success(`QEMU ${version()}`),
      'host.libvirt.hostname': success(labels((seed + 2) % 4)),
    },
    libvirt: version(),
    domain,
    statistics: new Map([
      ['cpu.time', ticks(5_000_000, 9_000_000) * 10_000_000],
      ['balloon.current', memory(4_000_000, 6_000_000)],
      ['balloon.maximum', memory(7_000_000, 9_000_000)],
      ['vcpu.current', small(65, 128)],
    ]),
    environment: new Map([
      ['VHOSTMD_VM_NAME', domain.name],
      ['VHOSTMD_VM_UUID', domain.uuid],
      ['VHOSTMD_VM_ID', String(domain.id)],
    ]),
    file: (path) => files.get(path) ?? refuse(`reads ${path}`),
    exists: (path) => (path === XEN ? xen : files.has(path) || refuse(`tests whether ${path} exists`)),
  };
};

/** Sample hosts with this version of procps, one for each profile. */
export const sampleHosts = (procps: Procps, xen: boolean): readonly SampleHost[] =>
  PROFILES.map((profile) => sampleHost(profile, procps, xen));
