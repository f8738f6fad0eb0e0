import type { Context, MetricDefinition, ValueType } from '../../../src/model/metric.ts';

/** An action as files of the C daemon have it, and what it is. */
export interface Pipeline {
  readonly context: Context;
  readonly type: ValueType;
  readonly command: string;
  /** The statistic with its value, with its scale: `host.memory.used 1/1024`. */
  readonly stat: string;
}

const host = (type: ValueType, stat: string, ...commands: readonly string[]): readonly Pipeline[] =>
  commands.map((command) => ({ context: 'host', type, command, stat }));
const vm = (type: ValueType, stat: string, ...commands: readonly string[]): readonly Pipeline[] =>
  commands.map((command) => ({ context: 'vm', type, command, stat }));

/** A program of awk that turns `Max memory:  2048 KiB` into `MAX_MEMORY:2048:KIB`, as long files have it. */
const NORMALISED = `awk -F ':' '
  function key(s) {  # upper case, words joined
    gsub("(^[[:space:]]+|[[:space:]]+$)", "", s)
    gsub("[[:space:]]+", "_", s); return toupper(s);
  }
  function quantity(s, separator,   number, unit)
  {
    sub(/^ +/, "", s)
    if (s !~ /^[0-9]*\\.?[0-9]+ *[[:alpha:]]+$/) { return s }
    else
    {
      number = unit = s;
      sub(" *[[:alpha:]]+$", "", number); sub("^[0-9]*[.]?[0-9]+ *", "", unit);
      return number separator toupper(unit);
    }
  }
  /:/ {
    at = index($0, ":");
    printf("%s:%s\\n", key(substr($0, 1, at - 1)), quantity(substr($0, at + 1), ":"));
  }' `;

const SUM = (rows: string, field: number): string =>
  `free|egrep -i '^[[:space:]]*(${rows})' \\
     | awk 'BEGIN { sum = 0; }
            { sum += $${field}; }
            END { printf "%d\\n", sum/1024; }'`;

const SWAPPED = (way: string): string => `vmstat -s | awk 'BEGIN {
    command = "getconf PAGESIZE"; command | getline size; close(command)
  }
  /pages swapped ${way}/ { printf "%d\\n", $1 / 1024 * size / 1024; }'`;

const CPU_TIME = `awk '
  function ticks(  hz) { cmd = "getconf CLK_TCK"; cmd | getline; hz = $1; close(cmd); return hz }
  BEGIN {
    HZ = ticks()
    while (0 < (getline < "/proc/stat"))
    {
      if ("cpu" == $1) { total = $2 + $3 + $4; break }
    }
    close("/proc/stat")
    total /= HZ   # seconds
    printf "%f\\n", total
  }'`;

/** Actions whose value is a statistic on every host. */
export const RECOGNISED: readonly Pipeline[] = [
  ...host(
    'string',
    'host.hostname',
    'hostname',
    '\n  /bin/hostname\n',
    'uname -n',
    'cat /proc/sys/kernel/hostname',
    'echo `hostname`',
  ),
  ...host('string', 'host.hostname.short', 'hostname -s', 'hostname | cut -d. -f1'),
  ...host(
    'string',
    'host.libvirt.hostname',
    `virsh CONNECT hostname | tr -d '[:space:]'`,
    'virsh -r hostname | head -n 1',
  ),
  ...host('uint64', 'host.time', 'date +%s', '/usr/bin/date "+%s"'),
  ...host('real64', 'host.uptime', `awk '{print $1}' </proc/uptime`, `cut -d' ' -f1 /proc/uptime`),
  ...host(
    'string',
    'host.vendor',
    `grep '^NAME=' /etc/os-release | cut -d= -f2 | tr -d '"'`,
    '. /etc/os-release && \\\n  echo "$NAME"',
    `sed -n 's/^NAME="\\(.*\\)"$/\\1/p' /etc/os-release`,
    `awk -F= '$1 == "NAME" {gsub(/"/, "", $2); print $2}' /etc/os-release`,
  ),
  ...host('string', 'host.vendor.name', '. /etc/os-release; echo "${VENDOR_NAME:-$NAME}"'),
  ...host(
    'string',
    'host.product',
    `virsh CONNECT version | sed -n 's/^Running hypervisor: *//p'`,
    `virsh version | awk '/Running hypervisor/ {print $(NF-1),$NF}'`,
    `virsh -r CONNECT version | grep -i 'running hypervisor' | cut -d: -f2`,
    `virsh -r CONNECT version | ${NORMALISED} | awk -F: '$1 == "RUNNING_HYPERVISOR" { print $2; }'`,
  ),
  ...host(
    'uint32',
    'host.cpus',
    `virsh -r CONNECT nodeinfo | awk '/^CPU\\(s\\)/ {print $2}'`,
    `virsh CONNECT nodeinfo | sed -n 's/^CPU(s): *//p'`,
    `virsh -r CONNECT nodeinfo \\\n | ${NORMALISED} \\\n | awk -F: '$1 == "CPU(S)" { print $2; }'`,
    "CPUS=`grep -c '^processor' /proc/cpuinfo`\necho $CPUS",
    `xm info | gawk '/^nr_cpus/ {print $3}'`,
    `xl info | grep nr_cpus | awk '{print $3}'`,
  ),
  ...host(
    'uint64',
    'host.memory.total 1/1024',
    `free -m | awk '/^Mem:/ {print $2}'`,
    `free -m | grep Mem | tr -s ' ' | cut -d' ' -f2`,
    "KB=`awk '/^MemTotal:/ {print $2}' /proc/meminfo`\necho $((KB / 1024))",
    "echo $((`virsh nodeinfo | awk '/^Memory/ {print $3}'` / 1024))",
    `virsh -r CONNECT nodeinfo 2>/dev/null | sed -nE 's/^Memory size: +([0-9]+) KiB$/\\1/p' | awk '{print int($1/1024)}'`,
  ),
  ...host('uint64', 'host.memory.total 1024', `free -b | awk 'NR==2{print $2}'`),
  ...host('uint64', 'host.memory.total', `LC_ALL=C free | grep -w Mem | awk '{print $2}'`),
  ...host(
    'uint64',
    'host.memory.free 1/1024',
    `free -m | awk '/^Mem:/ {print $4}'`,
    `free -m | awk '/^Mem:/ { if ($4 < 1) print 0; else print $4 }'`,
    `[ -f /proc/xen/privcmd ] && xl info | awk '/^free_memory/ {print $3}' || free -m | awk '/^Mem/ {print $4}'`,
    SUM('Mem:', 4),
  ),
  ...host('uint64', 'host.memory.available', `awk '/MemAvailable/ {print $2}' /proc/meminfo`),
  ...host(
    'uint64',
    'host.memory.available 1/1024',
    `free -m | awk '/^Mem:/ {print $7}'`,
    `free -m | sed -n 2p | awk '{ print $NF }'`,
  ),
  ...host(
    'uint64',
    'host.memory.used',
    `awk '/^MemTotal/ {t = $2} /^MemAvailable/ {a = $2} END {print t - a}' /proc/meminfo`,
  ),
  ...host(
    'uint64',
    'host.virtual.free 1/1024',
    `free -m | awk '/^(Mem|Swap):/ {sum += $4} END {print sum}'`,
    SUM('Mem:|Swap:', 4),
  ),
  ...host(
    'uint64',
    'host.swap.in 1/1024',
    SWAPPED('in'),
    "PAGES=`vmstat -s | awk '/pages swapped in/ {print $1}'`\necho $((PAGES * `getconf PAGESIZE` / 1048576))",
  ),
  ...host('uint64', 'host.swap.out 1/1024', SWAPPED('out')),
  ...host('uint64', 'host.swap.used', `free | awk '$1 == "Swap:" {print $3}'`),
  ...host(
    'uint64',
    'host.paging.in',
    `awk '/^pgpgin/ {print $2}' /proc/vmstat`,
    `vmstat -s | awk '/ paged in$/ {print $1}'`,
  ),
  ...host('uint64', 'host.paging.in 1/1024', 'echo "$((`vmstat -s | gawk \'/pages paged in/ {print $1}\'` / 1024))"'),
  ...host('uint64', 'host.paging.out', `grep ^pgpgout /proc/vmstat | cut -f2 -d' '`),
  ...host(
    'real64',
    'host.cpu.time',
    CPU_TIME,
    `awk -v hz=$(getconf CLK_TCK) '/^cpu / {printf "%f", ($2 + $3 + $4) / hz}' /proc/stat`,
    'vmstat -s | awk -v hz=`getconf CLK_TCK` \\\n \'/(nice|user|system) (user )?cpu ticks/ {sum += $1} END {printf "%f\\n", sum / hz}\'',
  ),
  ...host('real64', 'host.load.1', `awk '{print $1}' /proc/loadavg`, `cat /proc/loadavg | cut -d ' ' -f 1`),
  ...vm(
    'real64',
    'cpu.time 1e-9',
    `virsh -r CONNECT dominfo NAME | awk '/^CPU time/ {sub(/s$/, "", $3); print $3}'`,
    `virsh dominfo NAME | sed 's/: */:/' | \\\n  gawk -F: '/CPU time/ {print $2;}'`,
    `virsh CONNECT dominfo NAME | sed 's/: */:/' | awk -F: '/CPU time/ {print $2;}' | sed 's/s//'`,
    `virsh -r CONNECT dominfo NAME | ${NORMALISED} | awk -F: '$1 == "CPU_TIME" { print $2; }'`,
  ),
  ...vm(
    'uint32',
    'vcpu.current',
    `virsh -r CONNECT dominfo 'NAME' | awk '/^CPU\\(s\\)/ {print $2}'`,
    `/usr/bin/virsh -q --readonly dominfo "UUID" | grep 'CPU(s)' | awk '{print $NF}'`,
    `virsh dominfo VMID | grep -F 'CPU(s)' | tr -dc 0-9`,
    `virsh dominfo "$VHOSTMD_VM_NAME" 2>/dev/null | awk '$1=="CPU(s):" {print $2}'`,
    `virsh -r CONNECT dominfo NAME | ${NORMALISED} | awk -F: '$1 == "CPU(S)" { print $2; }'`,
  ),
  ...vm(
    'uint64',
    'balloon.maximum 1/1024',
    `virsh -r CONNECT dominfo NAME | awk '/^Max memory/ {print int($3 / 1024)}'`,
    `virsh -r CONNECT dominfo NAME | ${NORMALISED} | awk -F: '$1 == "MAX_MEMORY" { print int($2/1024); }'`,
  ),
  ...vm('uint64', 'balloon.maximum', `virsh dominfo NAME | grep 'Max memory' | awk '{print $3}'`),
  ...vm(
    'uint64',
    'balloon.current 1/1024',
    `virsh -r CONNECT dominfo NAME | awk '/^Used memory/ {print int($3 / 1024)}'`,
  ),
  ...vm('uint64', 'balloon.current 1024', `virsh dominfo NAME | awk '/Used/ {printf "%.0f\\n", $3 * 1024}'`),
];

/** Actions whose value is a statistic as procps 4 counts, which counts used memory otherwise than procps 3. */
export const OF_PROCPS_4: readonly Pipeline[] = [
  ...host('uint64', 'host.memory.used 1/1024', `free -m | awk '/^Mem:/ {print $3}'`, SUM('Mem:', 3)),
  ...host('uint64', 'host.virtual.used 1/1024', SUM('Mem:|Swap:', 3), `free -m | awk '/^[MS]/ {s+=$3} END {print s}'`),
  ...host('uint64', 'host.memory.used', `vmstat -s | awk '/used memory/ {print $1}'`),
];

/** The metric of a pipeline, as the configuration has it. */
export const metricOf = (
  command: string,
  { type = 'uint64', context = 'host' }: { readonly type?: MetricDefinition['type']; readonly context?: Context } = {},
): MetricDefinition => ({
  index: 0,
  name: 'Metric',
  type,
  context,
  source: { kind: 'action', command },
  variables: [],
  every: 1,
  timeout: 1000,
  place: { file: 'file', line: 1, column: 1 },
});
