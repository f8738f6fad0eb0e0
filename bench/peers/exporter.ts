import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from '../../test/support/free-port.ts';
import { spawnOther } from '../daemon.ts';
import { needAll, orEnd, type Peer, type PeerKind, peerOf, unpacked } from './peer.ts';

const scrape = async (port: number): Promise<string> =>
  await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString('latin1')));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });

const firstScrape = async (port: number, patience: number): Promise<string> => {
  for (const until = performance.now() + patience; ; await sleep(50)) {
    try {
      return await scrape(port);
    } catch {
      // The exporter does not listen yet.
      if (performance.now() > until) return '';
    }
  }
};

export const exporter: PeerKind = {
  name: 'prometheus-libvirt-exporter',
  times: 4,
  alone: true,
  start: async (surroundings) => {
    const { libvirtd, period } = surroundings;
    const program = unpacked('prometheus-libvirt-exporter', 'usr/bin/prometheus-libvirt-exporter');
    const port = await freePort();
    const child = spawnOther(program, [`--libvirt.uri=${libvirtd.uri}`, `--web.listen-address=127.0.0.1:${port}`]);
    const collect: Peer['collect'] = async (times) => {
      const walls: number[] = [];
      const start = performance.now();
      for (let time = 0; time < times; time += 1) {
        await sleep(start + (time + 0.5) * period - performance.now());
        const from = performance.now();
        await scrape(port);
        walls.push(performance.now() - from);
      }
      await sleep(start + times * period - performance.now());
      return walls;
    };
    return await orEnd(child, async () => {
      const values = (await firstScrape(port, period)).match(/^libvirt_domain_info_cpu_time_seconds_total\{/gm);
      needAll(values?.length ?? 0, surroundings);
      return peerOf(child, collect);
    });
  },
};
