#!/bin/sh
# Tests the packages in debian-12 or debian-13; called by scripts/test-packages.sh with its folder, in mounts of its own.
set -u
. "$(dirname "$0")/common.sh"
. test/systemd/checks.sh
. test/packaging/life.sh
. test/packaging/takeover.sh

place=$1
work=$2

# boot: boots a copy of $tree, which stays until this script ends; sets $leader to its first process.
boot() {
  layer=$work/$place
  if [ ! -d "$layer" ]; then
    mkdir "$layer"
    mount -t tmpfs tmpfs "$layer"
    mkdir "$layer/upper" "$layer/work" "$layer/root"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
  fi
  nspawn --directory="$layer/root" --boot --private-network --machine="$place-$$" --bind-ro="$work/packages:/mnt" \
    >"$layer/console" 2>&1 &
  container=$!
  wait_for_boot "$container" "$layer/console"
}

apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"; }
inode() { inside stat -c %i "$disk"; }

# read_on: starts reading the disk as a guest does, again and again.
read_on() {
  # shellcheck disable=SC2016 # The dollar signs are those of the inner shell.
  inside sh -c 'touch /tmp/reading; exec >/tmp/reads 2>&1; while [ -e /tmp/reading ]; do
    vm-dump-metrics --wait 1 --device "$0" --value HostName || echo "Status $?"
  done' $disk &
  reader=$!
  eventually 10 inside test -s /tmp/reads
}
# read_without_a_gap VALUE...: ends the reading; fails if a read had none of these values, or there were less than 20.
read_without_a_gap() {
  inside rm /tmp/reading
  wait "$reader"
  at_least "$(inside wc -l /tmp/reads | sed 's/ .*//')" 20 &&
    ! inside grep -vFx "$(printf '%s\n' "$@")" /tmp/reads | sort | uniq -c | grep . >&2
}

case $place in
  # Its Node.js is too old for vhostmd.
  debian-12)
    debian_tree debian-12-bare bookworm '' 'libvirt0 libstdc++6'
    boot
    life vhostmd-standalone
    ;;
  # A host with libvirt and QEMU.
  debian-13)
    debian_tree debian-13-host trixie 'procps libvirt-daemon-system libvirt-clients qemu-system-x86' nodejs
    boot
    # libvirt makes folders of its own meanwhile.
    inside virsh --quiet list
    life vhostmd
    takeovers
    reboots
    ;;
esac
totals
