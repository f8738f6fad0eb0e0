#!/bin/sh
# `npm start [-- OPTION...]`: installs, builds, and runs the daemon in the foreground.
set -eu
. "$(dirname "$0")/common.sh"
build
have_libvirt || need_packages 'the daemon' libvirt0
if [ -S /run/libvirt/libvirt-sock-ro ] || [ -S /run/libvirt/virtqemud-sock-ro ]; then
  uri=qemu:///system
  say "Running on this host's libvirt ($uri)"
else
  uri=test:///default
  say "There is no libvirt daemon on this host: running on libvirt's embedded test driver ($uri), which has one make-believe domain"
fi
say 'Metrics disk: /dev/shm/vhostmd0. To read it: node dist/vhostmd.cjs dump /dev/shm/vhostmd0'
exec node dist/vhostmd.cjs --no-daemonize --verbose --config conf/vhostmd.xml --connect "$uri" "$@"
