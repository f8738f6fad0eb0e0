import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type Machine, recogniser } from '../../../src/cli/migrate/recognise.ts';
import { metricOf, OF_PROCPS_4, type Pipeline, RECOGNISED } from './pipelines.ts';

const MACHINES: readonly Machine[] = [3, 4, undefined].map((procps) => ({
  procps: procps as Machine['procps'],
  xen: false,
}));
const [PROCPS_3, PROCPS_4, UNKNOWN] = MACHINES.map(recogniser) as [Recognise, Recognise, Recognise];
type Recognise = ReturnType<typeof recogniser>;

const scaleOf = (written: string | undefined): number =>
  written === '1/1024' ? 1 / 1024 : written === undefined ? 1 : Number(written);
const expected = ({ stat }: Pipeline) => {
  const [name, scale] = stat.split(' ');
  return { stat: name, scale: scaleOf(scale) };
};
const reasonOf = (command: string, metric: Parameters<typeof metricOf>[1] = {}, recognise = PROCPS_4): string => {
  const verdict = recognise(metricOf(command, metric));
  return 'reason' in verdict ? verdict.reason : `<stat>${verdict.stat}</stat>`;
};

describe('Recognising an action', () => {
  it.each(RECOGNISED)('finds $stat in $command, whatever procps the host has', (pipeline) => {
    for (const recognise of [PROCPS_3, PROCPS_4, UNKNOWN])
      expect(recognise(metricOf(pipeline.command, pipeline))).toEqual(expected(pipeline));
  });

  it.each(OF_PROCPS_4)('finds $stat in $command on a host with procps 4 only', (pipeline) => {
    const metric = metricOf(pipeline.command, pipeline);
    expect(PROCPS_4(metric)).toEqual({ ...expected(pipeline), note: 'as procps 4 counts, which this host has' });
    expect(PROCPS_3(metric)).toEqual({
      reason: expect.stringMatching(
        /^only procps 4 counts as <stat.*>host\..*used<\/stat>, and this host has procps 3$/,
      ),
    });
    expect(UNKNOWN(metric)).toEqual({ reason: expect.stringMatching(/and this host has none$/) });
  });

  it.each([
    // What it runs, reads and sets.
    ['rpm -q --queryformat "%{VENDOR}\\n" libvirt | sort -u', 'it runs rpm'],
    ['pagerate.pl', 'it runs pagerate.pl'],
    ['/opt/bin/virsh nodeinfo', 'it runs /opt/bin/virsh'],
    ["xentop -b -i 1 | awk '/Domain-0/ {print $5}'", 'it runs xentop'],
    ['hostname -f', 'it runs hostname -f'],
    ['virsh dominfo 0', 'it asks virsh for the domain 0'],
    ['virsh dominfo NAME', 'it asks virsh for the domain NAME'],
    ['virsh -c qemu:///system nodeinfo', 'it names the URI of libvirt; write CONNECT for that of the daemon'],
    ['virsh list | wc -l', 'it runs virsh list'],
    ['cat /sys/class/net/eth0/speed', 'it reads /sys/class/net/eth0/speed'],
    ['[ -f /etc/special ] && hostname', 'it tests whether /etc/special exists'],
    ['. /etc/sysconfig/x; date +%s', 'it reads /etc/sysconfig/x as shell text'],
    ['PATH=/opt/bin; virsh nodeinfo', 'it sets the variable PATH'],
    ["LANG=de_DE free | awk '/Speicher/ {print $2}'", 'it sets the variable LANG'],
    ['X=1 date +%s', 'it sets the variable X for a command'],
    ['date +%s >/tmp/now; cat /tmp/now', 'it has a redirection to /tmp/now'],
    ['date +%s >>/tmp/now', 'it runs in the background or writes to a file'],
    ['sleep 1; date +%s', 'it runs sleep'],
    ['date +%s &', 'it runs in the background or writes to a file'],
    ['ls *', 'it has a pattern of file names'],
    // What the shell and awk have besides.
    ['if true; then date +%s; fi', 'it has the shell\'s word "if"'],
    ['now() { date +%s; }; now', 'it defines a shell function'],
    ['echo $1', "it has the shell's variable $1"],
    ['echo ${NAME#x}', 'it has a shell expansion that is not known'],
    ["echo 'open", 'it has a quote without an end'],
    ['date +%s |', 'it has an unexpected "end"'],
    ['date +%s)', 'it has an unexpected ")"'],
    ['free | awk \'/Mem/ {system("id"); print $2}\'', 'it has the function system of awk'],
    ['free | awk \'/Mem/ {print $2 > "/tmp/x"}\'', 'it writes to a file or program in awk'],
    ["free | awk '/Mem/ {a[1] = $2; print a[1]}'", 'it has an array in awk'],
    ['free | awk \'BEGIN {RS = ""} {print $2}\'', 'it has the variable RS of awk'],
    ["awk 'BEGIN {while (1) x++}'", 'it runs for too long'],
    ['('.repeat(50_000), 'it is nested too deeply'],
    ["free | sed 'y/a/b/'", 'it has the script y/a/b/ of sed'],
    // What only looks like a command that is known.
    ["free m | awk '/^Mem:/ {print $2}'", 'it runs free m'],
    ['date +%s\\', 'it ends with a backslash'],
    ["free | egrep '^[[:spce]*Mem' | awk '{print $2}'", 'it has brackets in a pattern that are not known'],
    ["free | awk '/^Mem:/ {2print $2}'", 'it has an unexpected "print" in awk'],
    [
      `awk 'BEGIN {"getconf " "PAGESIZE" | getline size; print size}'`,
      'it joins texts before a getline in awk, which each awk reads otherwise',
    ],
    // A limit that no sample host is near to.
    ["free -m | awk '/^Mem:/ {if ($4 < 1NF) print 0; else print $4}'", 'it compares texts'],
    ["free -m | awk '/^Mem:/ {if ($4 > 500) print 500; else print $4}'", 'it compares numbers'],
    ["free | awk '/^Mem:/ {print $2 > $3 ? $2 : $3}'", 'it writes to a file or program in awk'],
    ["free | awk '/^Mem:/ {print ($2 > $3) ? $2 : $3}'", 'it compares numbers'],
  ])('leaves %s, because it cannot know its value', (command, reason) => {
    expect(reasonOf(command)).toBe(reason);
  });

  const OTHER = 'its value is not one of the statistics of vhostmd, or has other text around it';
  it.each([
    // Another unit, another rounding, another field, a wrong size of pages.
    ["free -m | awk '/^Mem:/ {print $2 / 1000}'", OTHER],
    ["free -m | awk '/^Mem:/ {print $2 * 1000}'", OTHER],
    ["free -m | awk '/^Mem:/ {print $5}'", OTHER],
    ["free -g | awk '/^Mem:/ {print $4 + 1}'", OTHER],
    ["free | awk '/^Mem:/ {print int($2 / 1048576) * 1024}'", OTHER],
    ['free | awk \'/Mem/ {print "total", $2}\'', OTHER],
    ["vmstat -s | awk '/pages swapped in/ {print $1 * 4}'", OTHER],
    ['vmstat -s | awk \'/pages paged in/ {printf "%d\\n", $1 / 1024 * $(getconf PAGESIZE) / 1024;}\'', OTHER],
    // Patterns that also match other lines of a real host.
    ["awk '/Free/ {s += $2} END {print s}' /proc/meminfo", OTHER],
    ['grep -ci processor /proc/cpuinfo', OTHER],
    ["awk '/swpin/ {print $2}' /proc/vmstat", OTHER],
    ["grep Swap /proc/meminfo | tail -n 2 | awk '{print $2}'", OTHER],
    // Constants.
    ['echo 1', OTHER],
    ['echo 0', OTHER],
    ["virsh nodeinfo | awk '/CPU/ {print $2}'", OTHER],
    ["awk '/^cpu / {print ($2 + $3 + $4 + $5) / 100}' /proc/stat", OTHER],
    ["grep NAME= /etc/os-release | cut -d= -f2 | tr -d '\"'", OTHER],
    ["grep ^NAME= /etc/os-release | tr -d '\"' | cut -d= -f2 | cut -d' ' -f1,2", OTHER],
    ["free -m | awk '/Total/ {print $2}'", 'it prints nothing'],
    ["free | grep Mem | awk '{print $2}' | grep -q 1", 'it prints nothing'],
  ])('leaves %s, whose value is another one', (command, reason) => {
    const types = command.includes('os-release') ? (['string'] as const) : (['real64', 'uint64'] as const);
    for (const type of types) expect(reasonOf(command, { type })).toBe(reason);
  });

  it('names the version of the hypervisor where an action has that of libvirt', () => {
    const command = `virsh -r CONNECT version | awk -F': ' '/^Using API/ {print $2}'`;
    expect(reasonOf(command, { type: 'string' })).toMatch(/version of libvirt.*<stat>host\.product<\/stat>/);
  });

  it('takes a statistic only if it is the same in the type of the metric', () => {
    const command = `virsh dominfo NAME | awk '/^CPU time/ {print $3}'`;
    expect(reasonOf(command, { type: 'real64', context: 'vm' })).toBe('<stat>cpu.time</stat>');
    // As text, `12.5s` is not `12.500000`.
    expect(reasonOf(command, { type: 'string', context: 'vm' })).toBe(OTHER);
    expect(reasonOf('date +%s', { type: 'string' })).toBe('<stat>host.time</stat>');
    expect(reasonOf('hostname', { type: 'uint64' })).toBe(OTHER);
  });

  it('leaves metrics with several values', () => {
    expect(reasonOf('date +%s', { type: 'group' })).toBe('it has several values (type group); <stat> gives one');
    expect(reasonOf('date +%s', { type: 'xml' })).toBe('it has several values (type xml); <stat> gives one');
  });

  it('leaves what depends on Xen where Xen runs', () => {
    const command = `[ -f /proc/xen/privcmd ] && xl list | awk '/^Domain-0/ {print $6}' || ${RECOGNISED.find(({ stat }) => stat === 'host.cpu.time')?.command}`;
    expect(reasonOf(command, { type: 'real64' })).toBe('<stat>host.cpu.time</stat>');
    const onXen = recogniser({ procps: 4, xen: true });
    expect(reasonOf(command, { type: 'real64' }, onXen)).toBe("it asks Xen's tools for list");
  });

  it('has a verdict for any text', () => {
    const parts = RECOGNISED.flatMap(({ command }) => command.split(/(?<=[\s|'"$`(){};])/));
    const texts = fc.oneof(
      fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((some) => some.join('')),
      fc.string({ maxLength: 40, unit: fc.constantFrom(...'\'"`$(){}|;&<>\\\n# =ab12/*[]-+%,~!:') }),
      fc.string({ maxLength: 30 }).map((program) => `free | awk '${program}'`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const verdict = PROCPS_4(metricOf(text));
        expect('reason' in verdict ? verdict.reason : verdict.stat).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });
});
