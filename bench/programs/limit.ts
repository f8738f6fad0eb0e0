// The least work of a Node program for the metrics of conf/vhostmd.xml: CPU time of each QEMU by an open descriptor of
// /proc/PID/stat, files of the host, XML, checksum and disk; no streams, no checks, no handling of faults.
// Arguments: the disk, the period in ms, and the pids.
import { openSync, readFileSync, readSync, writeSync } from 'node:fs';

const [disk = '', period = '', ...pids] = process.argv.slice(2);
const buffer = Buffer.alloc(1024);
const domains = pids.map((pid, index) => ({
  stat: openSync(`/proc/${pid}/stat`, 'r'),
  attributes: `context='vm' id='${index + 1}' uuid='00000000-0000-4000-8000-${String(index).padStart(12, '0')}'`,
}));
const fd = openSync(disk, 'w+');

const metric = (attributes: string, type: string, name: string, value: string | number): string =>
  `  <metric type='${type}' ${attributes}>\n    <name>${name}</name>\n    <value>${value}</value>\n  </metric>\n`;
const line = (text: string, name: string): number[] => {
  const at = text.indexOf(name);
  return text
    .slice(at + name.length, text.indexOf('\n', at))
    .trim()
    .split(/[\s:]+/)
    .map(Number);
};

const tick = (): void => {
  const [memory, vmstat, stat] = ['meminfo', 'vmstat', 'stat'].map((name) => readFileSync(`/proc/${name}`, 'latin1'));
  const parts = ['<metrics>\n'];
  const [user = 0, nice = 0, system = 0] = line(stat ?? '', 'cpu ');
  parts.push(metric("context='host'", 'real64', 'TotalCPUTime', (user + nice + system) / 100));
  for (const name of ['MemTotal', 'MemFree', 'MemAvailable', 'SwapTotal', 'SwapFree'])
    parts.push(metric("context='host'", 'uint64', name, line(memory ?? '', name)[0] ?? 0));
  for (const name of ['pswpin', 'pswpout', 'pgpgin', 'pgpgout', 'pgfault'])
    parts.push(metric("context='host'", 'uint64', name, line(vmstat ?? '', name)[0] ?? 0));
  parts.push(metric("context='host'", 'uint64', 'Time', Math.floor(Date.now() / 1000)));
  for (const { stat: process, attributes } of domains) {
    const text = buffer.toString('latin1', 0, readSync(process, buffer, 0, 1024, 0));
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    parts.push(metric(attributes, 'real64', 'TotalCPUTime', (Number(fields[11]) + Number(fields[12])) / 100));
    for (const name of ['ResourceProcessorLimit', 'ResourceMemoryLimit', 'PhysicalMemoryAllocatedToVirtualSystem'])
      parts.push(metric(attributes, 'uint64', name, 1));
  }
  const bytes = Buffer.from(`${parts.join('')}</metrics>\n`, 'latin1');
  const header = Buffer.alloc(16);
  header.writeUInt32BE(0x6d766264, 0);
  header.writeUInt32BE(1, 4);
  writeSync(fd, header, 0, 8, 0);
  header.writeUInt32BE(bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, 8);
  header.writeUInt32BE(bytes.length, 12);
  writeSync(fd, bytes, 0, bytes.length, 16);
  header.writeUInt32BE(0, 4);
  writeSync(fd, header, 0, 16, 0);
};

setInterval(tick, Number(period));
process.send?.('ready');
