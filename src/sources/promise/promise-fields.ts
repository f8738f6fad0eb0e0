import type { StatValue } from '../libvirt/typed-params.ts';
import type { Bandwidth, Limits, Promises } from './promises.ts';

const limitFields = (prefix: string, what: string, { total, read, write }: Limits) =>
  [
    [`${prefix}.total.${what}`, total],
    [`${prefix}.read.${what}`, read],
    [`${prefix}.write.${what}`, write],
  ] as const;
const bandwidthFields = (prefix: string, { average, peak }: Bandwidth) =>
  [
    [`${prefix}.average`, average],
    [`${prefix}.peak`, peak],
  ] as const;

/** Returns the statistics `promised.*` of a domain. `hostCpus`: CPUs of the host that are online. */
export const promiseFields = (promises: Promises, hostCpus: number): ReadonlyMap<string, StatValue> =>
  new Map<string, StatValue>([
    ['promised.cpus', promises.cpus],
    ['promised.cpus.usable', Math.min(hostCpus, promises.pinned?.size ?? hostCpus)],
    ['promised.cpu.shares', promises.shares],
    ['promised.cpu.quota', promises.quota],
    ['promised.memory.guaranteed', promises.guaranteed],
    ['promised.memory.limit', promises.memoryLimit],
    ...promises.disks.flatMap(({ bytes, iops }, at) => [
      ...limitFields(`promised.block.${at}`, 'bytes', bytes),
      ...limitFields(`promised.block.${at}`, 'iops', iops),
    ]),
    ...promises.interfaces.flatMap(({ rx, tx }, at) => [
      ...bandwidthFields(`promised.net.${at}.rx`, rx),
      ...bandwidthFields(`promised.net.${at}.tx`, tx),
    ]),
  ]);
