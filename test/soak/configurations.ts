import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Seconds that the actions sleep: a process with this command line was left behind. */
export const SLEEP = '98765';

const action = (context: string, type: string, name: string, command: string, attributes: string, more = ''): string =>
  `<metric type="${type}" context="${context}" ${attributes}><name>${name}</name>` +
  `<action><![CDATA[${command}]]></action>${more}</metric>`;

const stats = (context: 'host' | 'vm', names: readonly string[]): string =>
  names
    .map((name) => `<metric type="real64" context="${context}"><name>${name}</name><stat>${name}</stat></metric>`)
    .join('');

const HOST = stats('host', ['host.time', 'host.cpus', 'host.cpu.time', 'host.memory.free', 'host.load.1']);
const GUEST = stats('vm', ['cpu.time', 'vcpu.current', 'balloon.current']);
const PAIR = '<variable name="One" type="uint32"/><variable name="Two" type="uint32"/>';

// A period of 5 s is one tick. The actions end in all ways.
const ACTIONS = [
  action('host', 'uint32', 'Succeeds', 'echo $$', ''),
  action('host', 'uint32', 'Fails', 'echo no such thing >&2; exit 3', 'period="25"'),
  action('host', 'uint32', 'TimesOut', `sleep ${SLEEP}`, 'timeout="1" period="100"'),
  action('host', 'uint32', 'Hangs', `trap '' TERM; sleep ${SLEEP}; sleep ${SLEEP}`, 'timeout="1" period="200"'),
  action('host', 'uint32', 'LeavesAChild', `sleep ${SLEEP} & echo 1`, 'period="100"'),
  action('host', 'string', 'Floods', 'yes', 'timeout="1" period="500"'),
  action('host', 'group', 'Group', 'echo 1,2', 'period="50"', PAIR),
  action('host', 'group', 'WrongCount', 'echo 1,2,3', 'period="100"', PAIR),
  action(
    'host',
    'xml',
    'Xml',
    '[ $(($$ % 2)) = 0 ] && echo "<metric type=\'int32\' context=\'host\'><name>X</name><value>1</value></metric>" || echo "<metric"',
    'period="50"',
  ),
  action('vm', 'string', 'Name', 'echo NAME', 'period="500"'),
].join('');

interface Parts {
  readonly disk: string;
  readonly size: number;
  readonly transports: readonly string[];
  readonly privateDisks: boolean;
  readonly metrics: string;
}

/** Configuration files between which the daemon changes. */
export interface Configurations {
  readonly busy: readonly [string, ...string[]];
  /** Without actions and channels, so that only ticks cause work. */
  readonly calm: string;
  /** The folder of all disks. */
  readonly disks: string;
  readonly calmDisk: string;
  /** Unix socket of the page for Prometheus. */
  readonly page: string;
}

/** Writes the configurations of one daemon into its folder, which has a folder `disks`. */
export const writeConfigurations = (folder: string): Configurations => {
  const disks = path.join(folder, 'disks');
  const page = path.join(folder, 'page');
  const write = (name: string, { disk, size, transports, privateDisks, metrics }: Parts): string => {
    const file = path.join(folder, `${name}.conf`);
    const vmDisk = `<vm_disk><path>${disks}/UUID.private</path><size unit="k">64</size></vm_disk>`;
    writeFileSync(
      file,
      `<vhostmd><globals><disk><name>d</name><path>${disks}/${disk}.disk</path><size unit="k">${size}</size></disk>` +
        `<update_period>5</update_period><path>/usr/sbin:/sbin:/usr/bin:/bin</path>` +
        transports.map((name) => `<transport>${name}</transport>`).join('') +
        (privateDisks ? vmDisk : '') +
        `<sink type="prometheus"><option name="listen">unix:${page}</option></sink></globals>` +
        `<metrics>${metrics}</metrics></vhostmd>\n`,
    );
    return file;
  };
  const both = ['vbd', 'virtio'];
  const all = HOST + GUEST + ACTIONS;
  return {
    busy: [
      write('all', { disk: 'one', size: 256, transports: both, privateDisks: true, metrics: all }),
      write('other-disk', { disk: 'two', size: 128, transports: both, privateDisks: false, metrics: GUEST + ACTIONS }),
      write('other-metrics', { disk: 'one', size: 256, transports: both, privateDisks: true, metrics: GUEST + all }),
    ],
    calm: write('calm', { disk: 'one', size: 256, transports: ['vbd'], privateDisks: true, metrics: HOST + GUEST }),
    disks,
    calmDisk: path.join(disks, 'one.disk'),
    page,
  };
};
