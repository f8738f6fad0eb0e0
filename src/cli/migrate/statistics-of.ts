import type { Context } from '../../model/metric.ts';
import { failure } from '../../model/result.ts';
import { STATISTICS } from '../../model/statistics.ts';
import { HOST_READERS, type HostView } from '../../sources/host/host-readers.ts';
import { filesOf } from '../../sources/host/proc-files.ts';
import { CLOCK_TICKS, type SampleHost } from './sample-host.ts';

const NO_VMS = failure('a sample host has no VMs');

/** Returns what the daemon itself would read on a sample host; a rate, which needs two collections, is left out. */
export const statisticsOf = (host: SampleHost, context: Context): ReadonlyMap<string, number | string> => {
  if (context === 'vm') return host.statistics;
  const files = filesOf(host.file);
  const values = new Map<string, number | string>();
  for (const { name, via } of STATISTICS.host) {
    const view: HostView = {
      files,
      via,
      libvirt: host.facts,
      load: NO_VMS,
      wallClock: () => host.time * 1000,
      pageSize: () => host.pageSize,
      clockTicks: () => CLOCK_TICKS,
      rate: () => {
        throw new Error('needs two collections');
      },
    };
    try {
      values.set(name, HOST_READERS[name](view));
    } catch {
      // The sample hosts lack the file of this statistic.
    }
  }
  return values;
};
