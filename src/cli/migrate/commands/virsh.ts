import type { HostFact } from '../../../sources/libvirt/types.ts';
import type { SampleHost } from '../sample-host.ts';
import { refuse } from '../not-understood.ts';

const table = (rows: readonly (readonly [string, string | number])[], width: number): string =>
  `${rows.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}\n`).join('')}\n`;

const fact = ({ facts }: SampleHost, name: HostFact): string | number => {
  const found = facts[name];
  return found?.ok === true ? found.value : refuse(`asks for ${name}`);
};

const dominfo = (host: SampleHost, which: string | undefined): string => {
  const { domain, statistics } = host;
  if (which === undefined || ![domain.name, domain.uuid, String(domain.id)].includes(which))
    refuse(`asks virsh for the domain ${which ?? ''}`);
  const time = statistics.get('cpu.time') ?? 0;
  return table(
    [
      ['Id', domain.id],
      ['Name', domain.name],
      ['UUID', domain.uuid],
      ['OS Type', 'hvm'],
      ['State', 'running'],
      ['CPU(s)', statistics.get('vcpu.current') ?? 0],
      ...(time === 0 ? [] : [['CPU time', `${(time / 1e9).toFixed(1)}s`] as const]),
      ['Max memory', `${statistics.get('balloon.maximum')} KiB`],
      ['Used memory', `${statistics.get('balloon.current')} KiB`],
      ['Persistent', 'yes'],
      ['Autostart', 'disable'],
      ['Managed save', 'no'],
      ['Security model', 'none'],
      ['Security DOI', '0'],
    ],
    15,
  );
};

const nodeinfo = (host: SampleHost): string =>
  table(
    [
      ['CPU model', 'x86_64'],
      ['CPU(s)', fact(host, 'host.cpus')],
      ['CPU frequency', '2519 MHz'],
      ['CPU socket(s)', 1],
      ['Core(s) per socket', 3],
      ['Thread(s) per core', 2],
      ['NUMA cell(s)', 1],
      ['Memory size', `${/^MemTotal: +(\d+)/.exec(host.file('/proc/meminfo'))?.[1]} KiB`],
    ],
    20,
  );

const version = (host: SampleHost): string => {
  const product = String(fact(host, 'host.product'));
  return (
    `Compiled against library: libvirt ${host.libvirt}\nUsing library: libvirt ${host.libvirt}\n` +
    `Using API: ${product.split(' ')[0]} ${host.libvirt}\nRunning hypervisor: ${product}\n\n`
  );
};

/** virsh of the daemon's own libvirt: an action without CONNECT asks that one, too. */
export const virsh = (args: readonly string[], host: SampleHost): string => {
  const words = [...args];
  while (words[0]?.startsWith('-') === true) {
    const option = words.shift() ?? '';
    if (/^(?:-c|--connect)/.test(option))
      return refuse('names the URI of libvirt; write CONNECT for that of the daemon');
    if (!/^(?:-r|--readonly|-q|--quiet)$/.test(option)) return refuse(`has the option ${option} of virsh`);
    // With -q, virsh prints no line at the end.
  }
  const [command = '', domain, ...more] = words;
  const alone = domain === undefined && more.length === 0;
  if (command === 'dominfo' && more.length === 0) return dominfo(host, domain);
  if (command === 'nodeinfo' && alone) return nodeinfo(host);
  if (command === 'version' && alone) return version(host);
  if (command === 'hostname' && alone) return `${fact(host, 'host.libvirt.hostname')}\n\n`;
  return refuse(`runs virsh ${words.join(' ')}`);
};
