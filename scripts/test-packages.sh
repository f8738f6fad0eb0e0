#!/bin/sh
# `npm run test:packages [-- debian-12 | debian-13]`: installs, upgrades, removes and purges the Debian packages in
# booted trees of Debian 12 and 13. In Debian 13, with libvirt and QEMU, vhostmd also takes the place of a C daemon, and
# the host boots again. Needs root, 4 GB in the temporary folder, and a network for the first run; the last line has the
# number of passed checks.
set -eu
. "$(dirname "$0")/common.sh"

purpose='the test of the packages'
need_containers "$purpose" 'npm run test:packages'

say 'Building the packages'
# The containers share this folder, and apt reads it as an ordinary user.
chmod 755 "$work"
mkdir "$work/packages"
DPKG_DEB_COMPRESSOR_LEVEL=0 sh scripts/package.sh --format deb --output "$work/built" >/dev/null
# pack NAME: packs the folder $work/root.
pack() {
  dpkg-deb --root-owner-group -Znone --build "$work/root" "$work/packages/$1.deb" >/dev/null
  rm -r "$work/root"
}
for package in vhostmd vhostmd-standalone; do
  # The same, as an older version.
  dpkg-deb --raw-extract "$work/built/$package"_*.deb "$work/root"
  sed -i 's/^\(Version: .*:\).*/\10.0.9-1/' "$work/root/DEBIAN/control"
  sed -i 's/"version": ".*"/"version": "0.0.9"/' "$work/root/usr/lib/vhostmd/package.json"
  pack "$package-old"
  mv "$work/built/$package"_*.deb "$work/packages/$package.deb"
done
# The paths of RHEL's package of the C daemon.
install -D test/packaging/c-daemon "$work/root/usr/sbin/vhostmd"
install -D -m 644 test/fixtures/config/rhel-style.xml "$work/root/etc/vhostmd/vhostmd.conf"
install -D -m 644 -t "$work/root/etc/vhostmd" conf/*.dtd
install -D test/fixtures/scripts/pagerate "$work/root/usr/share/vhostmd/scripts/pagerate.pl"
mkdir -p "$work/root/etc/sysconfig" "$work/root/usr/lib/systemd/system" "$work/root/DEBIAN"
echo 'OPTIONS=""' >"$work/root/etc/sysconfig/vhostmd"
cat >"$work/root/usr/lib/systemd/system/vhostmd.service" <<'END'
[Service]
Type=forking
EnvironmentFile=-/etc/sysconfig/vhostmd
ExecStart=/usr/sbin/vhostmd $OPTIONS
[Install]
WantedBy=multi-user.target
END
printf '%s\n' 'Package: vhostmd' 'Version: 1.2-1' 'Architecture: all' 'Maintainer: nobody <nobody@localhost>' \
  'Description: stands in for the C daemon' >"$work/root/DEBIAN/control"
echo /etc/vhostmd/vhostmd.conf >"$work/root/DEBIAN/conffiles"
pack c-daemon
mv "$work/built"/vhostmd-guest_*.deb "$work/packages/vhostmd-guest.deb"

jobs=
# A container ends with the shell that has started it.
trap '[ -z "$jobs" ] || kill -KILL $jobs 2>/dev/null || :; rm -rf "$work"' EXIT
for place in ${*:-debian-12 debian-13}; do
  # Mounts end with their last process.
  setpriv --pdeathsig KILL unshare --mount sh scripts/test-packages-in.sh "$place" "$work" >"$work/$place.log" 2>&1 </dev/null &
  jobs="$jobs $!"
done
for job in $jobs; do
  wait "$job" || :
done

passed=0
failed=0
for place in ${*:-debian-12 debian-13}; do
  printf '\n== %s\n' "$place"
  # The last line has the total.
  sed -E 's/^[0-9]+ passed, [0-9]+ failed$/&./' "$work/$place.log"
  passed=$((passed + $(grep -c '^passed: ' "$work/$place.log" || :)))
  failed=$((failed + $(grep -c '^FAILED: ' "$work/$place.log" || :)))
  grep -Eq '^[1-9][0-9]* passed, [0-9]+ failed$' "$work/$place.log" && continue
  failed=$((failed + 1))
  echo "FAILED: $place: the test has not come to its end"
done
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
