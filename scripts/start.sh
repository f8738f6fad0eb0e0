#!/bin/sh
# `npm start [-- OPTION...]`: installs, builds, and runs the daemon in the foreground as a sandbox: disk, status socket
# and configuration are in its own folder, and it connects to no channel. Options of vhostmd replace those given here.
set -eu
. "$(dirname "$0")/common.sh"
build
have_libvirt || need_packages 'the daemon' libvirt0

# The next start uses the folder again. Another user could have created it in /tmp before.
sandbox=${TMPDIR:-/tmp}/vhostmd-sandbox-$(id -u)
mkdir -m 755 "$sandbox" 2>/dev/null || :
if [ ! -d "$sandbox" ] || [ -L "$sandbox" ] || [ ! -O "$sandbox" ]; then
  say "$sandbox is not a folder of yours. Remove it, or name another place: TMPDIR=/another/folder npm start"
  exit 1
fi
# The preset with another disk and without channels.
sed -e "s|<path>/dev/shm/vhostmd0</path>|<path>$sandbox/disk</path>|" -e '/<transport>virtio</d' conf/vhostmd.xml >"$sandbox/vhostmd.conf"

own_config=
own_uri=
for argument; do
  case $argument in
    -f* | -[dv]*f* | --conf*) own_config=yes ;;
    -c* | -[dv]*c* | --conn*) own_uri=yes ;;
  esac
done

uri=test:///default
if [ -S /run/libvirt/libvirt-sock-ro ] || [ -S /run/libvirt/virtqemud-sock-ro ]; then uri=qemu:///system; fi
if [ -n "$own_uri" ]; then
  say 'Running on the libvirt that -c names'
elif [ $uri = qemu:///system ]; then
  say "Running on this host's libvirt ($uri)"
else
  say "There is no libvirt daemon on this host: running on libvirt's embedded test driver ($uri), which has one make-believe domain"
fi
say 'Try, from another terminal in this folder:'
[ -n "$own_config" ] || say "  node dist/vhostmd.cjs dump $sandbox/disk"
say "  node dist/vhostmd.cjs watch --socket $sandbox/status.sock"
say "  node dist/vhostmd.cjs status --socket $sandbox/status.sock"
say 'Ctrl-C ends it.'
export RUNTIME_DIRECTORY="$sandbox"
exec node dist/vhostmd.cjs --no-daemonize --verbose --config "$sandbox/vhostmd.conf" --connect "$uri" "$@"
