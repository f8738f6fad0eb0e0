import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { metricsXml } from '../../src/model/metrics-xml.ts';
import { RESERVED, uint32BE } from '../../src/sinks/metrics-disk/format.ts';
import { openDisk } from '../../src/sinks/metrics-disk/open-disk.ts';
import { uniqueSums } from '../../src/sinks/metrics-disk/checksum-padding.ts';
import { ofDomain, sample, snapshot } from '../../src/testing/snapshots.ts';
import { diskStage, documentOn, forge, overwrite, publish } from './disk-stage.ts';
import { type Ended, SHELLS, startTool } from './tool.ts';

const { folder, disk, bin, run } = diskStage();

/** Makes a folder for the start of PATH, with a dd that runs `then` after each read of the disk. */
const ddThat = (then: string): string => {
  const wrapped = mkdtempSync(path.join(folder, 'dd-'));
  const script = `#!${bin()}/sh\n${bin()}/dd "$@" 2>/dev/null\necho >>${wrapped}/reads\nreads=$(wc -l <${wrapped}/reads)\n${then}\n`;
  writeFileSync(path.join(wrapped, 'dd'), script, { mode: 0o755 });
  return wrapped;
};

describe.each(SHELLS)('vm-dump-metrics in $name, with the programs of busybox only', ({ shell }) => {
  const read = async (...args: readonly string[]): Promise<Ended> => await run(shell, ['--device', disk(), ...args]);

  it('prints the document of a disk byte by byte', async () => {
    publish(
      disk(),
      [sample('Host', "it's <a> & \\n b")],
      [ofDomain(1, sample('Name', 'ä €')), ofDomain(2, sample('Name', 'two'))],
    );
    expect(await read('--vbd')).toMatchObject({ code: 0, stdout: documentOn(disk()), stderr: '' });
    expect(documentOn(disk())).toContain('&#x20AC;');
  });

  it('prints an empty document', async () => {
    publish(disk(), []);
    const { code, stdout } = await read();
    expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn(disk()) });
    expect(stdout).toMatch(/^<metrics>\s+<\/metrics>\n$/);
  });

  it('prints a document that fills a disk of 256 KiB', async () => {
    forge(disk(), Buffer.alloc(262_144 - RESERVED, 'metrics\n'), { size: 262_144 });
    expect(await read()).toMatchObject({ code: 0, stdout: documentOn(disk()), stderr: '' });
  });

  it('takes a sum of signed bytes as well, which C programs write on x86', async () => {
    const content = Buffer.from('<metrics>\nä€\n</metrics>\n');
    const signed = content.reduce((sum, byte) => sum + (byte > 127 ? byte - 256 : byte), 0);
    forge(disk(), content, { sum: signed >>> 0 });
    expect(await read()).toMatchObject({ code: 0, stdout: content.toString('latin1') });
  });

  it('waits while a disk is busy, but not for ever', async () => {
    publish(disk(), [sample('Host', 'a')]);
    overwrite(disk(), uint32BE(1), 4);
    const { code, stdout, stderr } = await read('--wait', '1');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('busy');
    const running = startTool(shell, ['--device', disk(), '--wait', '20'], { PATH: bin() });
    await sleep(500);
    overwrite(disk(), uint32BE(0), 4);
    expect(await running.ended).toMatchObject({ code: 0, stdout: documentOn(disk()) });
  });

  it('prints no torn document while another is written every few milliseconds', async () => {
    const opened = openDisk({ path: disk(), size: 65_536 }, uniqueSums());
    let tick = 0;
    const update = (): void => {
      const samples = Array.from({ length: 60 }, (_, index) => sample(`M${index}`, `${(tick % 7) + 10}`));
      opened.publish([metricsXml(snapshot((tick += 1), samples)).host]);
    };
    update();
    const timer = setInterval(update, 25);
    for (let reads = 0; reads < 10; reads += 1) {
      const { code, stdout, stderr } = await read();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(new Set(stdout.match(/(?<=<value>).*(?=<)/g)).size).toBe(1);
      expect(stdout.match(/<metric /g)).toHaveLength(60);
    }
    clearInterval(timer);
    opened.close();
  });

  it('refuses a sum that stays wrong', async () => {
    publish(disk(), [sample('Host', 'right')]);
    overwrite(disk(), Buffer.from('wrong'), 60);
    const { code, stdout, stderr } = await read();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('the checksum of its content is not that of its header');
  });

  it.each([65_536 - RESERVED + 1, 65_536, 1 << 28, 0xffffffff])('refuses a length of %d', async (length) => {
    publish(disk(), [sample('Host', 'a')]);
    overwrite(disk(), uint32BE(length), 12);
    const { code, stdout, stderr } = await read();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/is damaged: (it is too short|its content would be longer)/);
  });

  it('refuses NUL bytes in the content', async () => {
    forge(disk(), Buffer.from('<metrics>\n\0</metrics>\n'));
    expect(await read()).toMatchObject({ code: 1, stdout: '' });
  });

  it('refuses files that are no metrics disk, with the reason', async () => {
    expect(await read()).toMatchObject({ code: 1, stderr: expect.stringContaining(`${disk()} cannot be read`) });
    for (const content of ['', 'mvb', 'mvbd', 'x'.repeat(65_536)]) {
      writeFileSync(disk(), content);
      expect(await read()).toMatchObject({ code: 1, stdout: '' });
    }
    expect((await read()).stderr).toContain('is not a metrics disk: it does not start with "mvbd"');
  });

  it('says that a disk holds nothing yet', async () => {
    forge(disk(), Buffer.alloc(0));
    const { code, stderr } = await read('--wait', '1');
    expect(code).toBe(1);
    expect(stderr).toContain('holds no metrics yet');
  });
});

// busybox's shell uses its own dd, whatever PATH has.
describe.each(SHELLS.slice(1))('vm-dump-metrics in $name, with a disk that changes at a chosen moment', ({ shell }) => {
  const read = async (first: string): Promise<Ended> =>
    await startTool(shell, ['--device', disk()], { PATH: `${first}:${bin()}` }).ended;

  it('reads again when the disk has changed in between', async () => {
    publish(disk(), [sample('Host', 'new'), sample('More', 'x')]);
    const after = `${disk()}.after`;
    copyFileSync(disk(), after);
    rmSync(disk());
    publish(disk(), [sample('Host', 'old')]);
    // The first read tests access to the disk, the second reads the header, the third the content.
    const dd = ddThat(`[ $reads -ne 3 ] || cat ${after} >${disk()}`);
    const { code, stdout } = await read(dd);
    expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn(after) });
  });

  it('reads again when the sum is wrong although the header has not changed', async () => {
    publish(disk(), [sample('Host', 'right')]);
    const right = `${disk()}.right`;
    copyFileSync(disk(), right);
    overwrite(disk(), Buffer.from('torn'), 60);
    const dd = ddThat(`[ $reads -ne 3 ] || cat ${right} >${disk()}`);
    const { code, stdout } = await read(dd);
    expect({ code, stdout }).toEqual({ code: 0, stdout: documentOn(right) });
  });
});
