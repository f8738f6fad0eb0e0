#!/bin/sh
# Tests the service in a booted Debian whose first process is $leader; called by scripts/test-systemd.sh.
set -u
: "${leader:?is set by scripts/test-systemd.sh}"

. test/systemd/checks.sh
product=/usr/lib/node_modules/vhostmd

# Installs the service as documented, with libvirt's test driver and a period of 1 s.
script "ln -s $product/dist/vhostmd.cjs /usr/local/bin/vhostmd
  install -D -m 644 $product/conf/vhostmd.xml $conf
  install -D -m 644 $product/conf/vhostmd.service /etc/systemd/system/vhostmd.service
  install -D -m 644 $product/conf/vhostmd-disks.service /etc/systemd/system/vhostmd-disks.service
  install -D -m 644 $product/conf/vhostmd.sysusers /usr/lib/sysusers.d/vhostmd.conf
  systemd-sysusers"
settings '[Service]\nEnvironment=LIBVIRT_DEFAULT_URI=test+unix:///default?socket=/run/libvirt/libvirt-sock-ro\n'
script "sed -i 's|<update_period>5<|<update_period>1<|' $conf"
add_metric '<metric type="string" context="host"><name>Slow</name><action>mkdir /run/vhostmd/left \&amp;\&amp; setsid sleep 7777 \&amp; exec sleep 7778</action></metric>'

printf 'systemd %s, Node %s, libvirt %s\n' "$(inside systemctl --version | head -n 1)" "$(inside node --version)" \
  "$(inside libvirtd --version)"

# A disk as left by a C daemon that ran as root.
script "truncate -s 262144 $disk && chmod 644 $disk && chown root:root $disk"

# An action that hangs delays the first snapshot by half a period.
took=$(timed inside systemctl start vhostmd)
check 'a start returns when the first snapshot is on the disk' has_metric HostName
check 'and not before' at_least "$took" 700
check 'the service is active' is ActiveState active
check 'it runs as the user vhostmd' script "[ \$(stat -c %U /proc/$(main)) = vhostmd ]"
check 'without any capability' script "grep -q 'CapBnd:.0000000000000000' /proc/$(main)/status"
check "CASE A2: the disk is its own, though it was root's" script "[ \$(stat -c %U:%a $disk) = vhostmd:644 ]"
check 'it reads libvirt' eventually 10 script "vhostmd dump --json $disk | grep -q 6695eb01-f6a4-8304-79aa-97f2502e193f"
check 'the status says what is published' eventually 5 says '13 host metrics, 1 VM'
check 'root can ask it for its status' script 'vhostmd status | grep "1 VM"'
with_status 'Started'

pid=$(main)
add_metric '<metric type="string" context="host"><name>Added</name><stat>host.hostname</stat></metric>'
inside systemctl reload vhostmd
check 'a reload puts the new configuration in force' eventually 5 has_metric Added
check 'and the status' eventually 5 says '14 host metrics'
check 'in the same process, which is active again' is MainPID "$pid"
check 'and running' eventually 5 is SubState running
with_status 'Reloaded'

script "cp $conf /tmp/good; sed -i 's|<name>Added</name>|<nmae>Added</nmae>|' $conf"
check 'CASE D7: a reload with a bad configuration fails' script '! systemctl reload vhostmd'
check 'CASE D7: and the journal has the line of the mistake' eventually 5 script "journalctl --quiet --unit vhostmd | grep '$conf:[0-9]*:[0-9]*: .*<nmae>'"
check 'the former stays in force' has_metric Added
check 'in the same process' is MainPID "$pid"
check 'which is active' eventually 5 is SubState running
with_status 'Reloaded with a bad configuration'
inside kill -HUP "$pid"
check 'a bad configuration is refused also without systemd, and the status says why and where' eventually 5 says "not reloaded, the former configuration is in force: $conf:"
check 'and the former goes on' has_metric Added
script "cp /tmp/good $conf"
inside systemctl reload vhostmd
check 'a good one ends that' eventually 5 says_not 'not reloaded'

script 'systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service'
check 'the status says since when libvirt is away' eventually 10 says 'libvirt away since 20'
with_status 'Without libvirt'
script 'systemctl start libvirtd.socket libvirtd-ro.socket'
check 'and that it is back' eventually 30 says_not 'libvirt away'

inside kill -KILL "$pid"
check 'after kill -9 systemd restarts it' eventually 8 is NRestarts 1
check 'after kill -9 another process runs in seconds' eventually 8 script "[ \$(systemctl show -p SubState --value vhostmd) = running ] && [ \$(systemctl show -p MainPID --value vhostmd) != $pid ]"
check 'and publishes' has_metric Added
with_status 'Killed'

# The period is longer than the timeout of the watchdog.
settings '[Service]\nEnvironment=LIBVIRT_DEFAULT_URI=test+unix:///default?socket=/run/libvirt/libvirt-sock-ro\nWatchdogSec=3\n'
script "sed -i 's|<update_period>1<|<update_period>20<|' $conf"
inside systemctl restart vhostmd
pid=$(main)
sleep 8
check 'the watchdog leaves a daemon alone whose period is long' is MainPID "$pid"
check 'and counts no restart' is NRestarts 0
inside kill -STOP "$pid"
check 'a daemon that hangs is restarted' eventually 25 is NRestarts 1
check 'and runs' eventually 20 is SubState running
check 'because of the watchdog' script 'journalctl --unit vhostmd | grep -i "watchdog timeout"'
with_status 'Hung'

# An external module with an endless loop, which begins when a file exists.
script "cat >/usr/lib/node_modules/loop.mjs" <<'END'
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { defineSink } from 'vhostmd';
const { ignoreElements, tap } = createRequire('/usr/lib/node_modules/vhostmd/package.json')('rxjs');
const loop = () => {
  while (existsSync('/run/vhostmd/loop'));
};
const run = (snapshot$) => snapshot$.pipe(tap(loop), ignoreElements());
export default defineSink({ name: 'loop', options: {}, make: () => ({ name: 'loop', run }) });
END
script "sed -i 's|<update_period>20<|<update_period>1<|; s|</globals>|<sink module=\"/usr/lib/node_modules/loop.mjs\"/></globals>|' $conf"
inside systemctl restart vhostmd
check 'a sink of somebody else runs' script "vhostmd status --json | grep -q '\"loop\"'"
script 'touch /run/vhostmd/loop'
check 'a sink that never returns ends, by the watchdog' eventually 25 is NRestarts 1
script 'rm /run/vhostmd/loop'
check 'and the daemon runs again' eventually 15 is SubState running
with_status 'Ended for a sink that never returned'

# An old private disk, and a process that an action left in another session.
script 'install -o vhostmd -m 644 /dev/null /run/vhostmd/kept.disk; rmdir /run/vhostmd/left'
check 'an action has left a process behind' eventually 5 inside pgrep -u vhostmd -f 'sleep 7777'
took=$(timed inside systemctl stop vhostmd)
check 'a stop takes 2 s at most' at_most "$took" 2000
check 'it counts as success' is Result success
check 'no process is left' script '! pgrep -u vhostmd'
check 'the disk is valid' has_metric Added
check 'private disks stay' script '[ -e /run/vhostmd/kept.disk ]'
with_status 'Stopped'

script "systemd-run --quiet --unit other vhostmd -d -c test:///default -f $conf -u nobody"
check 'CASE A2: with --user a disk is taken over and root given up, by the Node of Debian too' eventually 60 owner $disk nobody
inside systemctl stop other
script "chown 64055:64055 $disk"
inside systemctl start vhostmd
check "CASE A2: a disk that libvirt gave to QEMU's user is taken back, and the service starts" is ActiveState active
check 'and is its own' owner $disk vhostmd
check 'which the log says once' script "[ \$(journalctl --unit vhostmd | grep -c '$disk belonged to user 64055') = 1 ]"
script "install -o root -m 644 /dev/null /dev/shm/other && sed -i 's|<path>$disk<|<path>/dev/shm/other<|' $conf"
inside systemctl reload vhostmd
check "CASE A2: a new disk of a reload is taken over, though it is root's" eventually 10 script 'vhostmd dump /dev/shm/other | grep -q HostName'
check 'and is its own, too' owner /dev/shm/other vhostmd
script "sed -i 's|<path>/dev/shm/other<|<path>$disk<|' $conf"
settings '[Service]\nUser=root\nEnvironment=LIBVIRT_DEFAULT_URI=test+unix:///default?socket=/run/libvirt/libvirt-sock-ro\n'
inside systemctl restart vhostmd
check "CASE A2: with User=root in a file of the administrator the disk is root's" owner $disk root
check 'and is written' has_metric HostName
settings '[Service]\nEnvironment=LIBVIRT_DEFAULT_URI=test+unix:///default?socket=/run/libvirt/libvirt-sock-ro\n'
inside systemctl stop vhostmd

# /dev/shm and /run are empty, as after a boot. libvirt fails to start if disks of its VMs are missing.
uuid=11111111-2222-3333-4444-555555555555
libvirt='libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service'
boot() { script "systemctl stop $libvirt; systemctl reset-failed; rm -rf $disk /run/vhostmd"; }
script "sed -i 's|</globals>|<vm_disk><path>/run/vhostmd/UUID.disk</path><size unit=\"k\">64</size></vm_disk></globals>|' $conf
  sed -i '/<sink module/s|<sink module[^>]*>||' $conf
  mkdir -p /etc/libvirt/qemu /etc/systemd/system/libvirtd.service.d
  echo '<domain><name>web1</name><uuid>$uuid</uuid></domain>' >/etc/libvirt/qemu/web1.xml
  printf '[Service]\nExecStartPre=/usr/bin/test -s $disk\nExecStartPre=/usr/bin/test -s /run/vhostmd/$uuid.disk\n' \
    >/etc/systemd/system/libvirtd.service.d/test.conf
  systemctl daemon-reload"
boot
check 'without the unit of the disks libvirt starts before them' script '! systemctl start libvirtd.service 2>/dev/null'
boot
script 'systemctl enable vhostmd-disks.service 2>/dev/null'
check 'CASE A3: the disks are there before libvirt starts its VMs' inside systemctl start libvirtd.service
check 'the shared one is for the service' owner $disk vhostmd
check 'and so is the private one of a domain that is defined' owner /run/vhostmd/$uuid.disk vhostmd
check 'both are valid' script "vhostmd dump $disk && vhostmd dump /run/vhostmd/$uuid.disk"
boot
script 'systemctl start libvirtd-ro.socket'
check 'CASE A3: also where its socket starts it' script "vhostmd once -f $product/conf/vhostmd.xml -c 'test+unix:///default?socket=/run/libvirt/libvirt-sock-ro' | grep -q ResourceProcessorLimit"
check 'the disk is there' owner $disk vhostmd
boot
script "cp $conf /tmp/good; echo '<vhostmd>' >$conf; rm /etc/systemd/system/libvirtd.service.d/test.conf; systemctl daemon-reload"
check 'CASE A3: a configuration that is wrong keeps libvirt from nothing' inside systemctl start libvirtd.service
script "cp /tmp/good $conf"
inside systemctl start vhostmd
check 'the service takes these disks over' has_metric HostName
inside systemctl stop vhostmd

script "echo '<vhostmd>' >$conf"
check 'a start with a bad configuration fails' script '! systemctl start vhostmd 2>/dev/null'
check 'with status 2' is ExecMainStatus 2
check 'and is not tried again' is ActiveState failed
check 'the status says why' says 'Not started: '
with_status 'Started with a bad configuration'

# Faults that only an administrator can fix are not retried. systemd would retry after 2 s.
script "cp /tmp/good $conf; systemctl reset-failed vhostmd"
failed_once() { sleep 5; is ActiveState failed && is NRestarts 0 && is ExecMainStatus "$1"; }
settings '[Service]\nEnvironment=PATH=/nonexistent\n'
inside systemctl start vhostmd 2>/dev/null
check 'CASE A6: a start without Node fails and is not tried again' failed_once 127
settings '[Service]\nUser=nobody-of-this-name\n'
inside systemctl start vhostmd 2>/dev/null
check 'CASE A6: nor is one without the user' failed_once 217
settings ''
script 'mv /usr/local/bin/vhostmd /usr/bin/vhostmd'
check 'CASE A6: the program is found in /usr/bin, too' inside systemctl start vhostmd
script 'systemctl stop vhostmd; rm /usr/bin/vhostmd'
inside systemctl start vhostmd 2>/dev/null
check 'CASE A6: a start without the program fails and is not tried again' failed_once 203
with_status 'Started without the program'

totals
