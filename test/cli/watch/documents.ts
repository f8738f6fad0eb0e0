import type { Metric, Metrics, VmMetrics } from '../../../src/client/watch-document.ts';

/** Returns a metric as parsed from a document. */
export const metric = (name: string, value: number | string, { type = 'real64', unit = '' } = {}): Metric => ({
  name,
  type,
  value: String(value),
  ...(unit === '' ? {} : { unit }),
});

/** Returns the UUID of the test domain with that number. */
export const uuidOf = (id: number): string =>
  `${((id * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}-bef5-6fec-b1b7-${String(id).padStart(12, '0')}`;

/** Returns the metrics of one domain: the SAP set, and others. */
export const vm = (
  id: number,
  { cpu, cpus, now, most, more = [] }: { cpu?: number; cpus?: number; now?: number; most?: number; more?: Metric[] },
): VmMetrics => ({
  id: String(id),
  uuid: uuidOf(id),
  metrics: [
    ...(cpu === undefined ? [] : [metric('TotalCPUTime', cpu.toFixed(6))]),
    ...(cpus === undefined ? [] : [metric('ResourceProcessorLimit', cpus, { type: 'uint32' })]),
    ...(most === undefined ? [] : [metric('ResourceMemoryLimit', most, { type: 'uint64' })]),
    ...(now === undefined ? [] : [metric('PhysicalMemoryAllocatedToVirtualSystem', now, { type: 'uint64' })]),
    ...more,
  ],
});

/** Returns the SAP set of a host with 16 CPUs, some seconds after its start. */
export const sapHost = (seconds: number): readonly Metric[] => [
  metric('HostName', 'node1.example.org', { type: 'string' }),
  metric('Time', 1_700_000_000 + seconds, { type: 'uint64' }),
  metric('NumberOfPhysicalCPUs', 16, { type: 'uint32' }),
  metric('MemoryAllocatedToVirtualServers', 40_960, { type: 'uint64' }),
  metric('FreePhysicalMemory', 12_288, { type: 'uint64' }),
  metric('TotalCPUTime', (5000 + seconds * 4).toFixed(6)),
];

/** Returns a host with the SAP set and that many domains: domain n uses n % 7 / 2 CPUs. */
export const sapDocument = (seconds: number, vms: number): Metrics => ({
  host: sapHost(seconds),
  vms: Array.from({ length: vms }, (_, index) =>
    vm(index + 1, {
      cpu: 100 * index + (seconds * ((index + 1) % 7)) / 2,
      cpus: 4,
      now: 2048 + index,
      most: 8192,
      more: [
        metric('StealTime', (seconds * ((index + 1) % 3)) / 100, { unit: 's' }),
        metric('Backups', index, { type: 'uint32' }),
      ],
    }),
  ),
});
