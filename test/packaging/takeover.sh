# Sourced by scripts/test-packages-in.sh.

# define NAME UUID [SOURCE]: defines a VM, with the shared disk as the administrator of a C daemon attaches it.
define() {
  inside sh -c 'cat >/tmp/vm.xml; virsh --quiet define /tmp/vm.xml' <<END
<domain type='qemu'><name>$1</name><uuid>$2</uuid><memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/><memballoon model='none'/>
    ${3:+<disk type='file' device='disk'><driver name='qemu' type='raw'/>$3<target dev='vdx' bus='virtio'/><readonly/></disk>}
  </devices></domain>
END
}
# vm_reads NAME FILE TEXT: whether the file, as the VM's QEMU has it open, is a metrics disk with the text.
vm_reads() {
  # shellcheck disable=SC2016 # The dollar signs are those of the inner shell.
  inside sh -c 'for open in /proc/$(cat "/run/libvirt/qemu/$0.pid")/fd/*; do
    [ "$(readlink "$open")" != "$1" ] || exec vhostmd dump "$open"
  done; exit 1' "$1" "$2" | grep -q "$3"
}

web1=11111111-2222-3333-4444-555555555555
# c_daemon OPTIONS SOURCE OWNER: starts a C daemon by its unit, and a VM that has its disk, which then is the owner's.
c_daemon() {
  script "echo 'OPTIONS=\"$1\"' >/etc/sysconfig/vhostmd"
  add_metric '<metric type="string" context="host"><name>Administrator</name><action>echo kept</action></metric>'
  script 'systemctl daemon-reload && systemctl enable --now --quiet vhostmd'
  define web1 $web1 "$2"
  script 'virsh --quiet start web1'
  check 'a C daemon runs' eventually 5 guest_reads c-daemon
  check "its disk belongs to $3" owner $disk "$3"
  node=$(inode)
  kept=$(inside sha256sum $conf)
  of_c=$(inside cat /run/vhostmd.pid)
}
# replaced: checks that the package has taken the place of the C daemon.
replaced() {
  check 'the C daemon has ended' script "! kill -0 ${of_c:-1} 2>/dev/null"
  check 'the service runs' is ActiveState active
  check "the administrator's configuration is kept" [ "$(inside sha256sum $conf)" = "$kept" ]
  check 'and used' has_metric Administrator
  check 'a guest has read the disk all the while' read_without_a_gap c-daemon "$(host)"
  check 'the disk is the same file' [ "$(inode)" = "$node" ]
  check 'and its own' owner $disk vhostmd
  check 'the VM reads it, through the QEMU that ran before' vm_reads web1 $disk Administrator
  check 'with its own metrics' eventually 15 vm_reads web1 $disk "uuid='$web1'"
}

takeovers() {
  printf '\nA C daemon from sources, as root; the disk without a label: CASE A1\n'
  script 'dpkg-deb --extract /mnt/c-daemon.deb /'
  c_daemon '' "<source file='$disk'/>" libvirt-qemu
  read_on
  check 'the package is installed, without a stop before' apt -o Dpkg::Options::=--force-confold install /mnt/vhostmd.deb
  replaced
  check 'it is purged while the VM runs' apt purge vhostmd
  check 'and leaves the disk, which the VM has open' [ "$(inode)" = "$node" ]
  script "virsh --quiet destroy web1; rm $disk"

  printf '\nA C daemon from a package, with -u nobody; the disk with the label: CASE A2\n'
  script 'apt-get install --allow-downgrades -y /mnt/c-daemon.deb >/dev/null 2>&1'
  c_daemon '-u nobody' "<source file='$disk'><seclabel model='dac' relabel='no'/></source>" root
  read_on
  check 'it is stopped, as docs/migrate.md has it' inside systemctl disable --now --quiet vhostmd
  check 'the package is installed' apt -o Dpkg::Options::=--force-confold install /mnt/vhostmd.deb
  check 'and enabled' inside systemctl enable --now --quiet vhostmd-disks vhostmd
  replaced
}

web2=11111111-2222-3333-4444-666666666666
private=/run/vhostmd/$web2.disk
# Whether the unit of the disks had ended before libvirt's start began.
disks_first() {
  disks=$(inside systemctl show --property ExecMainExitTimestampMonotonic --value vhostmd-disks)
  at_least "$disks" 1 && at_most "$disks" "$(inside systemctl show --property ExecMainStartTimestampMonotonic --value libvirtd)"
}
# systemd repeats a start of libvirt that fails.
first_start() { inside systemctl is-active libvirtd && [ "$(inside systemctl show --property NRestarts --value libvirtd)" = 0 ]; }
# reboots: the host boots again, with a VM that starts by itself: CASE A3.
reboots() {
  printf '\nThe host boots again: CASE A3\n'
  script "sed -i 's|</globals>|<vm_disk><path>/run/vhostmd/UUID.disk</path><size unit=\"k\">64</size></vm_disk>&|' $conf"
  check 'private disks are configured' inside systemctl reload vhostmd
  define web2 $web2
  for device in shared-disk private-disk; do
    check "a VM gets its $device" inside vhostmd attach web2 --config --device $device
  done
  # libvirt does not start if a disk is missing or invalid then, and does not wait for VMs that have no system.
  script "virsh --quiet autostart web2
    touch /run/before /dev/shm/before
    echo SHUTDOWN_TIMEOUT=1 >>/etc/default/libvirt-guests
    mkdir -p /etc/systemd/system/libvirtd.service.d
    printf '[Service]\nExecStartPre=vhostmd dump %s\n' $disk $private >/etc/systemd/system/libvirtd.service.d/test.conf"
  stop_container "$container"
  wait "$container"
  boot
  check 'what was in memory is gone' script '! ls /run/before /dev/shm/before 2>/dev/null'
  check 'the disks were there before libvirt, and valid' first_start
  check 'because their unit had made them' disks_first
  check 'the VM has started by itself' eventually 60 script 'virsh list --name | grep -x web2'
  check 'the service runs' is ActiveState active
  check 'the VM reads the shared disk, with its own metrics' eventually 15 vm_reads web2 $disk "uuid='$web2'"
  check 'and its private one' eventually 15 vm_reads web2 $private "uuid='$web2'"
}
