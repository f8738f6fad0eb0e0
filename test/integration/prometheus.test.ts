import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { until } from '../support/daemon.ts';
import { domainXml } from '../support/libvirtd.ts';
import { scrape } from '../sinks/prometheus/scrape.ts';
import { freePort } from '../support/free-port.ts';
import { action, libvirtStage, stat } from './libvirt-stage.ts';

const stage = libvirtStage();
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo();
});

const sinkAt = (port: number): string =>
  `<sink type="prometheus"><option name="listen">127.0.0.1:${port}</option></sink>`;

interface Found {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** Starts Debian's Prometheus, which scrapes a port every second. */
const startPrometheus = async (target: number) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vhostmd-prometheus-'));
  const config = path.join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `{global: {scrape_interval: 1s}, scrape_configs: [{job_name: vhostmd, static_configs: [{targets: ['127.0.0.1:${target}']}]}]}`,
  );
  const port = await freePort();
  const child: ChildProcess = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  left.push(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = async (what: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${what}`);
    return ((await response.json()) as { data: unknown }).data;
  };
  const query = async (text: string): Promise<readonly Found[]> => {
    const data = (await ask(`query?query=${encodeURIComponent(text)}`).catch(() => ({ result: [] }))) as {
      result: readonly Found[];
    };
    return data.result;
  };
  await until('a scrape', async () => (await query('up == 1')).length === 1, 30_000);
  return { query, ask };
};

const VM = stat('vm', 'vcpu.current') + stat('vm', 'cpu.time');

describe('Prometheus', () => {
  it('reads what the guests see, and forgets a VM that stops or is renamed', async () => {
    const { libvirtd, run, folder } = stage();
    const port = await freePort();
    const xml = path.join(folder, 'renamed.xml');
    const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
    writeFileSync(xml, domainXml('old "name"', '', uuid));
    await libvirtd.virsh('define', xml);
    await libvirtd.virsh('start', uuid, '--paused');
    const other = await libvirtd.create('other');
    const { daemon } = await run(
      VM + stat('host', 'host.cpu.time', 'real64') + stat('host', 'host.hostname', 'string'),
      {
        globals: sinkAt(port),
      },
    );
    const { query, ask } = await startPrometheus(port);
    const names = async (): Promise<readonly string[]> =>
      (await query('vhostmd_vm_vcpu_current')).map(({ metric }) => `${metric['domain']} ${metric['uuid']}`).sort();

    await until('both VMs', async () => (await names()).length === 2);
    expect(await names()).toEqual([`old "name" ${uuid}`, `other ${other}`]);
    expect((await query('vhostmd_vm_vcpu_current'))[0]?.value[1]).toBe('1');
    expect(await query('vhostmd_vm_cpu_time_seconds_total')).toHaveLength(2);
    expect((await query('vhostmd_host_hostname_info'))[0]?.metric['value']).toBeTruthy();
    expect(await ask('metadata?metric=vhostmd_host_cpu_time_seconds')).toEqual({
      vhostmd_host_cpu_time_seconds: [
        { type: 'counter', help: 'host.cpu.time in seconds, from statistic host.cpu.time', unit: '' },
      ],
    });
    expect((await query('vhostmd_sink_writes_total{sink="metrics disk"}'))[0]?.value[1]).toMatch(/^[1-9]/);
    await until('a rate', async () => (await query('rate(vhostmd_ticks_total[10s]) > 0.5')).length === 1);

    await libvirtd.destroy(uuid);
    await until('the VM that stopped is gone', async () => (await names()).join() === `other ${other}`);
    await libvirtd.virsh('domrename', uuid, 'new');
    await libvirtd.virsh('start', uuid, '--paused');
    await until('its new name', async () => (await names()).includes(`new ${uuid}`));
    expect(await names()).toEqual([`new ${uuid}`, `other ${other}`]);
    await libvirtd.destroy(uuid);
    await libvirtd.virsh('undefine', uuid);

    const page = await scrape({ kind: 'tcp', host: '127.0.0.1', port });
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: page.body, encoding: 'utf8' });
    expect({ status: checked.status, said: checked.stdout + checked.stderr }).toEqual({ status: 0, said: '' });
    expect((await daemon.stop()).ms).toBeLessThan(2000);
  });

  it('gets no word of a VM in the page after its end, and a scrape starts no collection', async () => {
    const { libvirtd, run, folder } = stage();
    const port = await freePort();
    const ran = path.join(folder, 'ran');
    const uuid = await libvirtd.create('short-lived');
    await run(VM + action('host', 'Ran', `echo x >>${ran}; wc -l <${ran}`), { globals: sinkAt(port), period: 3600 });
    const page = async (): Promise<string> => (await scrape({ kind: 'tcp', host: '127.0.0.1', port })).body;
    // The daemon is ready before this sink listens, and before the slow action ends.
    const isWhole = (body: string): boolean => ['short-lived', '_ran_info'].every((text) => body.includes(text));
    await until('the first page', async () => await page().then(isWhole, () => false));
    for (let count = 0; count < 50; count += 1) await page();
    expect(await page()).toContain('vhostmd_host_ran_info{value="1"} 1');
    await libvirtd.destroy(uuid);
    await until('it is gone', async () => !(await page()).includes(uuid));
    expect(await page()).not.toContain('short-lived');
  });
});
