import type { CauseName } from '../model/verdict.ts';
import type { EvidenceName } from './evidence.ts';

/** One quantity that a cause needs. */
export interface Condition {
  readonly evidence: EvidenceName;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** What it means if the quantity is absent: that the cause is not there, that it cannot be judged, or nothing. */
  readonly ifAbsent: 'no' | 'unseen' | 'skip';
}

/** A row of the decision table. */
export interface Cause {
  readonly name: CauseName;
  readonly title: string;
  /** All must be fulfilled. The first is shown as its share. */
  readonly when: readonly Condition[];
  /** For the administrator of the guest: names nobody but "neighbours". */
  readonly guest: string;
  /** What that administrator may ask for. */
  readonly ask: string;
  /** For the administrator of the host, about a VM that was named. */
  readonly host: string;
  /** Sections of the runbook, each a list of sentences or commands of the host. */
  readonly looks: string;
  readonly prove: readonly string[];
  readonly remedy: readonly string[];
}

/**
 * The decision table. Causes are looked for and reported in this order: first what stops the whole VM, then its own
 * limits, then the others on the host. Thresholds are shares of time, so that they mean the same for each VM. Only the
 * latency of storage is absolute: a guest that does nothing but I/O waits for it on the fastest storage, too.
 */
export const CAUSES: readonly Cause[] = [
  {
    name: 'paused',
    title: 'The host pauses the VM',
    when: [{ evidence: 'paused', atLeast: 5, ifAbsent: 'unseen' }],
    guest: 'The host paused this VM.',
    ask: 'Ask why it was paused: for a snapshot, a migration, by hand, or because its storage was full or failed.',
    host: 'The host paused it.',
    looks: 'Clocks in the guest jump, all programs stand still at the same time, and nothing in the guest shows why.',
    prove: ['virsh domstate --reason DOMAIN', 'virsh event --all --loop --timestamp', 'virsh domblkerror DOMAIN'],
    remedy: [
      'Resume it: `virsh resume DOMAIN`.',
      'After an I/O error first mend the storage: a full pool, a lost path, a full thin volume.',
      'For snapshots with memory prefer a snapshot of the disks with `--quiesce`, which pauses for a moment only.',
    ],
  },
  {
    name: 'quota',
    title: "The VM's own CPU quota",
    when: [{ evidence: 'quota', atLeast: 5, ifAbsent: 'unseen' }],
    guest: 'This VM has used up the CPU time that it was sold: its quota stops it.',
    ask: 'Ask for a higher CPU quota or more virtual CPUs, or make the guest do less. Neighbours are not to blame.',
    host: 'Its CPU quota stops it.',
    looks: 'Steal time in the guest, although the host is idle; work goes on in bursts of a tenth of a second.',
    prove: ['virsh schedinfo DOMAIN', 'virsh domstats --vcpu DOMAIN'],
    remedy: [
      'Raise the quota: `virsh schedinfo DOMAIN --live vcpu_quota=QUOTA`, in microseconds of each `vcpu_period`; -1 is none.',
      'An emulator or I/O thread may have a quota of its own: `emulator_quota`, `iothread_quota`.',
    ],
  },
  {
    name: 'memory',
    title: 'The host is short of memory',
    when: [{ evidence: 'memory', atLeast: 5, ifAbsent: 'unseen' }],
    guest: 'The host is short of memory and has taken memory of this VM away; the VM waits until it is read back.',
    ask: 'Ask for guaranteed memory, or for a host with more. More memory for the guest does not help.',
    host: 'It waits for memory that the host had swapped out or dropped.',
    looks:
      'The guest has free memory and does not swap, yet programs stop for milliseconds to seconds at random places.',
    prove: [
      'vhostmd why DOMAIN',
      'grep VmSwap /proc/$(cat /run/libvirt/qemu/DOMAIN.pid)/status',
      'cat /proc/pressure/memory',
    ],
    remedy: [
      'Free memory on the host: migrate VMs away, shrink balloons, or end other programs.',
      'A limit of the VM itself does the same: `virsh memtune DOMAIN` shows `hard_limit` and `soft_limit`.',
      'Guarantee it: `<memoryBacking>` with `<hugepages/>` or `<locked/>`.',
    ],
  },
  {
    name: 'job',
    title: 'A migration, backup or copy is running',
    when: [{ evidence: 'job', atLeast: 20, ifAbsent: 'unseen' }],
    guest: 'The host migrates, saves, or backs up this VM at the moment.',
    ask: 'It ends by itself. If it comes at the wrong time of the day, ask for another time or a lower speed.',
    host: 'The host migrates, saves, or backs it up.',
    looks: 'Writes become slow, memory is slower at each first write, and it began at the time of the backup.',
    prove: ['virsh domjobinfo DOMAIN', 'virsh blockjob DOMAIN vda --info'],
    remedy: [
      'Wait, or make it slower: `virsh migrate-setspeed DOMAIN MIB`, `virsh blockjob DOMAIN vda --bandwidth MIB`.',
      'End it: `virsh domjobabort DOMAIN`, `virsh blockjob DOMAIN vda --abort`.',
    ],
  },
  {
    name: 'io-limit',
    title: "The VM's own I/O limit",
    when: [
      { evidence: 'limit', atLeast: 85, ifAbsent: 'no' },
      { evidence: 'io', atLeast: 20, ifAbsent: 'no' },
    ],
    guest: 'This VM has reached the I/O limit of a disk that it was sold.',
    ask: 'Ask for a higher limit of the disk, or make the guest read and write less. The storage is not slow.',
    host: 'A disk has reached its I/O limit.',
    looks: 'The disk is busy all the time at an even, round number of requests or bytes per second.',
    prove: ['virsh blkdeviotune DOMAIN vda', 'virsh domblkstat DOMAIN vda'],
    remedy: ['Raise it: `virsh blkdeviotune DOMAIN vda --total-iops-sec N --live`; 0 is none.'],
  },
  {
    name: 'neighbours',
    title: 'Neighbours on the CPU',
    when: [
      { evidence: 'waiting', atLeast: 5, ifAbsent: 'unseen' },
      { evidence: 'wanted', atLeast: 10, ifAbsent: 'unseen' },
      { evidence: 'room', atMost: 85, ifAbsent: 'skip' },
      // Without it, waiting may be the work of the VM's own quota.
      { evidence: 'quota', atMost: 100, ifAbsent: 'unseen' },
    ],
    guest: 'Neighbours use the CPUs of the host, and this VM waits for them.',
    ask: 'Ask for a host with less load, for a greater share of the CPU, or for CPUs of its own.',
    host: 'Neighbours use the CPUs of the host, and its virtual CPUs wait.',
    looks: 'Steal time in the guest; it is slow at the same times as others on the host.',
    prove: ['vhostmd why DOMAIN', 'virt-top', 'cat /proc/pressure/cpu'],
    remedy: [
      'Migrate it or a busy neighbour to another host.',
      'Give it a greater share: `virsh schedinfo DOMAIN --live cpu_shares=N`; or limit the neighbour by `vcpu_quota`.',
      'Give it CPUs of its own: `virsh vcpupin`, and keep the others off these CPUs.',
    ],
  },
  {
    name: 'storage',
    title: 'Slow storage',
    when: [
      { evidence: 'latency', atLeast: 20, ifAbsent: 'no' },
      { evidence: 'io', atLeast: 10, ifAbsent: 'no' },
    ],
    guest: 'The storage of the host is slow: each request of this VM to a disk waits for it.',
    ask: 'Ask for faster storage, or what else uses it at that time.',
    host: 'Its requests to a disk take long.',
    looks: 'Programs in the guest wait for I/O (state D), although they transfer little.',
    prove: ['virsh domblkstat DOMAIN vda', 'iostat -x 5', 'cat /proc/pressure/io'],
    remedy: [
      'Look at the storage: a path that has failed, a rebuild, a full pool, a neighbour that writes much.',
      'Limit the neighbour by `virsh blkdeviotune`, or move the disk: `virsh blockcopy`.',
    ],
  },
  {
    name: 'network',
    title: 'Network packets are dropped',
    when: [{ evidence: 'drops', atLeast: 1, ifAbsent: 'no' }],
    guest: 'Packets from or to this VM are dropped between the host and the VM.',
    ask: 'Ask for a higher limit of the network interface or a longer queue; in the guest look whether it takes packets in time.',
    host: 'Packets are dropped at its interface.',
    looks: 'TCP connections are slow and repeat packets, although the lines have capacity.',
    prove: ['virsh domifstat DOMAIN INTERFACE', 'tc -s qdisc show dev INTERFACE', 'virsh domiftune DOMAIN INTERFACE'],
    remedy: [
      'Raise the limit: `virsh domiftune DOMAIN INTERFACE --inbound AVERAGE --live`; 0 is none.',
      'Lengthen the queue: `ip link set INTERFACE txqueuelen 10000`; use `<driver name="vhost" queues="N"/>`.',
    ],
  },
];

/** The words if no cause was found and all could be looked at. */
export const NOTHING = {
  guest: 'The host does not slow this VM down: look inside the guest.',
  host: 'Nothing on the host slows the VM down: look inside the guest.',
  unknown: 'The host shows no cause, but not all could be looked at',
} as const;
