#!/bin/sh
# `npm run test:systemd`: boots Debian 13 in a container with systemd as the first process, installs the package there
# with Debian's own Node and libvirt, and tests the service. Needs root, 2 GB in the temporary folder, and a network for
# the first run; the last line has the number of passed checks.
set -eu
. "$(dirname "$0")/common.sh"

purpose='the test with systemd'
need_containers "$purpose" 'npm run test:systemd'
build

debian_13_with_npm

say 'Packing'
npm pack --ignore-scripts --silent --pack-destination "$work" >/dev/null
tar -xzf "$work"/vhostmd-*.tgz -C "$work"
npm ls --omit=dev --all --parseable 2>/dev/null | sed -n "s|^$PWD/||p" | while read -r module; do
  mkdir -p "$work/package/${module%/*}"
  # Nested packages are already copied.
  [ -e "$work/package/$module" ] || cp -R "$module" "$work/package/$module"
done

say 'Booting'
nspawn --directory="$tree" --volatile=overlay --boot --private-network --machine="vhostmd-test-$$" \
  --bind-ro="$work/package:/usr/lib/node_modules/vhostmd" >"$work/console" 2>&1 &
container=$!
wait_for_boot "$container" "$work/console"
export leader
sh test/systemd/service.sh
