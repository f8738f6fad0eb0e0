import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { metricsXml } from '../../src/model/metrics-xml.ts';
import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/checksum-padding.ts';
import { action } from '../integration/libvirt-stage.ts';
import { sample, snapshot } from '../../src/testing/snapshots.ts';
import { guestStage } from './guest-stage.ts';
import { channelXml, diskXml, startVirtualMachine } from './virtual-machine.ts';
import { PATIENCE } from '../support/patience.ts';

// One run of one command has all of these values, so a document in which they differ is torn.
const SAME = 30;
const stage = guestStage(
  (folder) =>
    action('host', 'Phase', `cat ${folder}/phase`) +
    Array.from({ length: SAME }, (_, index) => action('host', `Same${index}`, 'echo "same $(date +%s%N)"')).join('') +
    action('vm', 'Name', 'echo "$VHOSTMD_VM_NAME"'),
);

// The guest counts its reads, reports each new phase, and ends with the last.
const SCRIPT = `
link_ports
torn() {
  [ "$(grep -c '<value>same' "$1")" = ${SAME} ] && [ "$(grep '<value>same' "$1" | sort -u | wc -l)" = 1 ] &&
    [ "$(tail -n 1 "$1")" = '</metrics>' ] && return 1
  cat "$1"
}
phase() { sed -n '/<name>Phase</{n;s/.*<value>\\(.*\\)<.value>.*/\\1/p}' "$1"; }
section flat out
reads=0 torn=0 failed=0
while [ $((reads + failed)) -lt 20 ]; do
  if vm-dump-metrics --device /dev/vdb >/tmp/disk; then reads=$((reads + 1)); else failed=$((failed + 1)); continue; fi
  torn /tmp/disk && torn=$((torn + 1))
done
echo "reads $reads torn $torn failed $failed"
reads=0 torn=0 failed=0 replies=0 unanswered=0 disk='' channel=''
while [ "$disk" != stop ]; do
  for i in 1 2 3 4 5; do
    if vm-dump-metrics --device /dev/vda >/tmp/disk; then reads=$((reads + 1)); else failed=$((failed + 1)); continue; fi
    torn /tmp/disk && torn=$((torn + 1))
    now=$(phase /tmp/disk)
    [ "$now" = "$disk" ] || section "disk: $now"
    disk=$now
  done
  if vm-dump-metrics -i --wait 3 >/tmp/reply; then replies=$((replies + 1)); else unanswered=$((unanswered + 1)); continue; fi
  torn /tmp/reply && torn=$((torn + 1))
  now=$(phase /tmp/reply)
  [ "$now" = "$channel" ] || section "channel: $now"
  channel=$now
done
section result
echo "reads $reads torn $torn failed $failed replies $replies unanswered $unanswered"
`;

const counts = (text: string | undefined): Readonly<Record<string, number>> =>
  Object.fromEntries([...(text ?? '').matchAll(/(\w+) (\d+)/g)].map(([, name = '', count]) => [name, Number(count)]));

describe('A guest that reads all the time', () => {
  let flatOut: Readonly<Record<string, number>>;
  let result: Readonly<Record<string, number>>;
  let lives = 0;
  let updates = 0;
  let timer: NodeJS.Timeout | undefined;
  afterAll(() => clearInterval(timer));

  beforeAll(async () => {
    const libvirtd = stage.libvirtd();
    const enter = (phase: string): void => {
      writeFileSync(path.join(stage.folder, 'phase.new'), phase);
      renameSync(path.join(stage.folder, 'phase.new'), path.join(stage.folder, 'phase'));
    };
    enter('calm');
    const busy = path.join(stage.folder, 'busy.disk');
    const disk = openDisk({ path: busy, size: 65_536 }, uniqueSums());
    const update = (): void => {
      const values = Array.from({ length: SAME }, (_, index) => sample(`Same${index}`, `same ${updates}`));
      disk.publish([metricsXml(snapshot((updates += 1), values)).host]);
    };
    update();
    timer = setInterval(update, 50);
    const guest = await startVirtualMachine(libvirtd, {
      name: 'reader',
      devices: diskXml(stage.shared, 'vda') + diskXml(busy, 'vdb') + channelXml(path.join(stage.folder, 'channel')),
      script: SCRIPT,
    });
    const sees = async (phase: string): Promise<void> => {
      enter(phase);
      for (const way of ['disk', 'channel']) await guest.reached(`${way}: ${phase}`);
    };
    await guest.reached('disk: calm');
    clearInterval(timer);
    disk.close();
    await sees('storm');
    const end = performance.now() + 8000;
    for (; performance.now() < end; lives += 1) await libvirtd.destroy(await libvirtd.create(`short-lived-${lives}`));
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await stage.restart(signal);
      await sees(`after ${signal}`);
    }
    enter('stop');
    const printed = await guest.ended();
    flatOut = counts(printed.get('flat out'));
    result = counts(printed.get('result'));
    console.log(`Of a disk that was written ${updates} times:`, flatOut);
    console.log(`While ${lives} VMs started and stopped and the daemon restarted twice:`, result);
  }, 150_000 * PATIENCE);

  it('gets no torn document from a disk that is written 20 times a second, as often as the daemon ever does', () => {
    expect(flatOut).toEqual({ reads: 20, torn: 0, failed: 0 });
    expect(updates).toBeGreaterThan(50);
  });

  it('gets no torn document and is never stuck while VMs start and stop and the daemon restarts', () => {
    expect(result).toMatchObject({ torn: 0, failed: 0 });
    expect(result['reads']).toBeGreaterThanOrEqual(20);
    expect(lives).toBeGreaterThan(3);
  });

  it('gets answers through the channel again after each restart of the daemon, by SIGTERM and by SIGKILL', () => {
    // The guest has reported the later phases, or the preparation would have failed; it waited for a reply in each of
    // three phases.
    expect(result['replies']).toBeGreaterThanOrEqual(3);
  });
});
