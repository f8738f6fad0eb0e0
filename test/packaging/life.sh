# Sourced by scripts/test-packages-in.sh.

# files: prints the paths of the container's file system, without logs, caches, and the records of apt and dpkg.
files() {
  inside find / -xdev \( -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /tmp -o \
    -path /var/tmp \) -prune -o -print | sort
}
host() { inside hostname; }
guest_reads() { [ "$(inside vm-dump-metrics --device $disk --value HostName)" = "$1" ]; }

# life PACKAGE: a package's life, from its installation to its purge.
life() {
  package=$1
  files >"$layer/before"

  check 'an older version is installed, with all that it needs' apt install "/mnt/$package-old.deb"
  check 'so is the tool of guests' apt install /mnt/vhostmd-guest.deb
  check 'it is that version' [ "$(inside vhostmd --version)" = 0.0.9 ]
  check 'the service is enabled' inside systemctl is-enabled vhostmd
  check 'and so is that of the disks' inside systemctl is-enabled vhostmd-disks
  check 'it runs' is ActiveState active
  check 'as a user of its own' script "[ \$(stat -c %U /proc/$(main)) = vhostmd ]"
  check 'the disk is its own' owner $disk vhostmd
  check 'root reads it' has_metric HostName
  check 'a guest reads it' guest_reads "$(host)"
  check "it reads VMs through this Debian's libvirt" script "vhostmd once -c test:///default | grep -q 6695eb01-f6a4-8304-79aa-97f2502e193f"

  script "sed -i 's|<update_period>5<|<update_period>1<|' $conf"
  add_metric '<metric type="string" context="host"><name>Added</name><stat>host.hostname</stat></metric>'
  check 'the changed configuration is reloaded' inside systemctl reload vhostmd
  check 'and used' eventually 5 has_metric Added
  check 'it is used after a restart, too' inside systemctl restart vhostmd
  check 'at once' has_metric Added

  before=$(main)
  node=$(inode)
  changed=$(inside sha256sum $conf)
  read_on
  check 'it is upgraded' apt install "/mnt/$package.deb"
  check 'a guest has read the disk all the while' read_without_a_gap "$(host)"
  check 'the version is the new one' [ "$(inside vhostmd --version)" = "$(node -p 'require("./package.json").version')" ]
  check 'the service runs' is ActiveState active
  check 'in a new process' is_not "$(main)" "$before"
  check 'the changed configuration is kept' [ "$(inside sha256sum $conf)" = "$changed" ]
  check 'and used' has_metric Added
  check 'the disk is the same file' [ "$(inode)" = "$node" ]

  check 'it is removed' apt remove "$package"
  check 'the service has stopped' script '! systemctl is-active vhostmd'
  check 'no process is left' script '! grep -l "^Uid:.$(id -u vhostmd)\b" /proc/[0-9]*/status'
  check 'the program is gone' script '! command -v vhostmd'
  check 'the configuration stays' [ "$(inside sha256sum $conf)" = "$changed" ]
  check 'a guest reads the last document' guest_reads "$(host)"

  check 'it is purged' apt purge "$package" vhostmd-guest
  check 'and what it needed is removed' apt autoremove --purge
  check 'no file is left' left_nothing
  check 'nor a disk' script '! ls /dev/shm/vhostmd* /run/vhostmd*'
  check 'nor a unit' script '! systemctl cat vhostmd vhostmd-disks 2>/dev/null'

  check 'it is installed again' apt install "/mnt/$package.deb" /mnt/vhostmd-guest.deb
  check 'and runs' is ActiveState active
  check 'a guest reads the disk' guest_reads "$(host)"
  check 'the configuration is that of the package' script "! vhostmd dump $disk | grep -q Added"
  script 'systemctl disable --now --quiet vhostmd'
  check 'it is upgraded while the service is disabled' apt --reinstall install "/mnt/$package.deb"
  check 'which stays so' is UnitFileState disabled
  check 'and stopped' is ActiveState inactive
  check 'it is purged again' apt purge "$package"
}
left_nothing() { files | diff "$layer/before" - >&2; }
