import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { processesWith } from '../test/support/processes.ts';
import { configuration, end, startDaemon, startProgram } from './daemon.ts';
import { memoryOf, threadsCpuOf } from './proc.ts';
import type { Bench, Figure, Result, Row } from './row.ts';

const DOMAINS = 40;
const PERIOD = 5000;
const TICKS = 20;
// Both processes have just started.
const SETTLING = 3.5 * PERIOD;

const run = async ({ machines, directory, say }: Bench): Promise<Result> => {
  const libvirtd = await machines.atLeast(DOMAINS);
  const pids = processesWith('cmdline', '\0guest=background-').map(String);
  const limit = startProgram('limit', [path.join(directory, 'limit.disk'), String(PERIOD), ...pids]);
  const { config } = configuration('conf/vhostmd.xml', directory, 'beside-limit');
  const daemon = await startDaemon(config, libvirtd.uri);
  try {
    say(`${TICKS} ticks of the daemon beside those of the least program`);
    await sleep(SETTLING);
    const all = [daemon.pid, limit.pid ?? 0, libvirtd.pid()];
    const before = all.map(threadsCpuOf);
    await sleep(TICKS * PERIOD);
    const [own, least, libvirt] = all.map((pid, index) => {
      const now = threadsCpuOf(pid);
      return {
        all: (now.all - (before[index]?.all ?? 0)) / TICKS,
        main: (now.main - (before[index]?.main ?? 0)) / TICKS,
      };
    });
    if (own === undefined || least === undefined || libvirt === undefined) throw new Error('a program has ended');
    const cpu = (what: string, value: number): Figure => ({ what, value, unit: 'ms', count: TICKS });
    return {
      telemetry: [
        cpu('CPU per tick of the daemon', own.all),
        cpu('of that its main thread', own.main),
        cpu('CPU per tick of libvirtd', libvirt.all),
        cpu('CPU per tick of the least program', least.all),
        { what: 'CPU, daemon : least program', value: own.all / least.all, unit: 'ratio', target: 3 },
        {
          what: 'RSS, daemon beyond the least program',
          value: memoryOf(daemon.pid).all - memoryOf(limit.pid ?? 0).all,
          unit: 'MiB',
        },
      ],
      notes: [
        'limit: the least program reads the same files and writes the same number of metrics to a disk of its own, and does nothing else.',
      ],
    };
  } finally {
    await Promise.all([daemon.stop(), end(limit)]);
  }
};

export const limit: Row = {
  name: 'limit',
  about: `CPU per tick beside the least that a Node program needs for the same figures, ${DOMAINS} QEMU VMs, period 5 s`,
  run,
};
