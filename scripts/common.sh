# Sourced by the other scripts: finds or installs what a command needs, and prints what it does.
cd "$(dirname "$0")/.." || exit 1

say() { printf 'vhostmd: %s\n' "$*" >&2; }

# apt_get ARGUMENT...: runs apt-get; waits while another program holds a lock. apt-get itself waits only for the lock of
# dpkg, not for those of its lists and archives. Writes the output to $log.
apt_get() {
  waited=0
  until LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get "$@" >"$log" 2>&1; do
    grep -Eq 'Could not get lock|Unable to lock|is another process using it|lock was locked by another' "$log" || return 1
    [ $waited -gt 0 ] || say 'Another program is installing packages: waiting until it has finished, for 15 minutes at most'
    [ $waited -lt 900 ] || return 1
    sleep 1
    waited=$((waited + 1))
  done
}

# need_packages PURPOSE PACKAGE...: installs Debian packages as root on Debian, otherwise prints the command.
need_packages() {
  purpose=$1
  shift
  if ! command -v apt-get >/dev/null 2>&1; then
    say "$purpose needs the packages that Debian calls: $*. Install them and try again."
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "$purpose needs packages that only root can install. Run: sudo apt-get install -y --no-install-recommends $*"
    exit 1
  fi
  say "Installing for $purpose: $*"
  log=$(mktemp)
  if ! { apt_get update && apt_get install -y --no-install-recommends "$@"; }; then
    cat "$log" >&2
    say "The packages could not be installed (see above)."
    exit 1
  fi
  rm -f "$log"
}

need_node() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' && return
  say "Node 20.19 or newer is needed, this is $(node --version)."
  exit 1
}

# npm writes this file; it is older than the lock file when dependencies have changed.
need_modules() {
  need_node
  [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && return
  say 'Installing the npm packages'
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
}

# Builds if a source is newer than the last build. Removing a file makes its folder newer.
build() {
  need_modules
  [ -e dist/vhostmd.cjs ] && [ -e .cache/built ] &&
    [ -z "$(find src tsconfig*.json scripts/bundle.mjs package-lock.json -newer .cache/built)" ] && return
  say 'Building'
  sh scripts/build.sh
  touch .cache/built
}

# Loads the library as the program does: an ordinary user's PATH lacks ldconfig.
have_libvirt() { node -e 'require("koffi").load("libvirt.so.0")' 2>/dev/null; }

# need_programs PURPOSE "PROGRAM..." PACKAGE...: installs the packages if a program is missing.
need_programs() {
  purpose=$1
  programs=$2
  shift 2
  for program in $programs; do
    command -v "$program" >/dev/null 2>&1 && continue
    need_packages "$purpose" "$@"
    return
  done
}

# need_virtual_machines PURPOSE: libvirt with QEMU, and the tools that create, freeze and observe domains.
need_virtual_machines() {
  need_programs "$1" 'libvirtd virtlogd virsh qemu-system-x86_64 strace ps pgrep' \
    libvirt0 libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 strace procps
  need_programs "$1" 'nbdkit' nbdkit
}

# need_guests PURPOSE: the parts of guests (the tests fetch the kernel), and the tools that test the guest tool and the
# hook.
need_guests() {
  need_programs "$1" 'busybox cpio socat shellcheck dash setpriv' busybox-static cpio socat shellcheck dash util-linux
}

# need_logins PURPOSE: the tools for a libvirt that requires a password.
need_logins() { need_programs "$1" 'saslpasswd2' sasl2-bin libsasl2-modules libsasl2-modules-db; }

# need_unit_check PURPOSE: the tools that check the systemd unit, also where systemd does not run.
need_unit_check() { need_programs "$1" 'systemd-analyze systemd-sysusers' systemd; }

# need_packaging PURPOSE: the programs that build .deb and .rpm.
need_packaging() { need_programs "$1" 'dpkg-deb rpmbuild' dpkg rpm; }

# need_package_check PURPOSE: the programs that check packages.
need_package_check() {
  need_packaging "$1"
  need_programs "$1" 'lintian' lintian
}

# need_manual PURPOSE: the formatters of man pages, and the shell whose completion is tested.
need_manual() { need_programs "$1" 'man groff mandoc fish' man-db groff mandoc fish; }

# need_receivers PURPOSE: the receivers of sinks. Debian may start them as services, which the tests do not use.
need_receivers() {
  need_programs "$1" 'prometheus promtool mosquitto' prometheus mosquitto
}

# unpack PACKAGE FOLDER: extracts the files of a Debian package. It is not installed, so no service starts.
unpack() (
  command -v apt-get >/dev/null 2>&1 || exit 1
  folder=$PWD/$2
  log=$(mktemp)
  archives=$(mktemp -d)
  trap 'rm -rf "$log" "$archives"' EXIT
  chmod 755 "$archives"
  cd "$archives" || exit 1
  # The package lists may be old.
  apt_get download "$1" || { apt_get update && apt_get download "$1"; } || exit 1
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  dpkg-deb --extract ./*.deb "$folder.part" && mv "$folder.part" "$folder"
)

# need_peers: the programs that the benchmarks compare the daemon with, and a C compiler. All are optional.
need_peers() {
  (need_programs 'a C program of the benchmarks' gcc gcc libc6-dev) || :
  for package in prometheus-libvirt-exporter collectd-core libvirt-dev; do
    [ -d ".cache/peers/$package" ] && continue
    say "Unpacking for the benchmarks: $package"
    unpack "$package" ".cache/peers/$package" || say "$package could not be fetched."
  done
}

# in_own_pid_namespace COMMAND...: runs a command in its own PID namespace if that is allowed. No process outlives it,
# and an ended QEMU is reaped at once, which libvirt waits for.
in_own_pid_namespace() {
  if unshare --fork --pid --mount-proc true 2>/dev/null; then
    # sh stays the first process there, because it reaps.
    exec unshare --fork --pid --mount-proc --kill-child sh -c '"$@"; exit $?' sh "$@"
  fi
  exec "$@"
}

# need_containers PURPOSE COMMAND: checks for root, installs the tools that boot containers, and makes a folder $work.
# At the end the folder is removed and the container with the process $container is stopped.
need_containers() {
  if [ "$(id -u)" != 0 ]; then
    say "$1 starts containers, which only root can. Run: sudo $2"
    exit 1
  fi
  need_programs "$1" 'mmdebstrap systemd-nspawn nsenter flock' mmdebstrap systemd-container util-linux
  work=$(mktemp -d)
  container=
  trap '[ -z "$container" ] || stop_container "$container"; rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
}

# debian_tree NAME SUITE PACKAGES [PACKAGES]: sets $tree to a Debian with systemd and the first packages, and with the
# archives that the second ones need to be installed without a network; fetched once and never changed afterwards.
debian_tree() {
  tree=${TMPDIR:-/tmp}/vhostmd-$1-$(dpkg --print-architecture)
  # Two scripts may fetch it at the same time.
  exec 9>"$tree.lock"
  flock 9
  if [ ! -d "$tree" ]; then
    say "Fetching Debian's $2 into $tree"
    log=$(mktemp)
    # The tree may lack the folder of TMPDIR.
    if ! (
      unset TMPDIR
      mmdebstrap --variant=minbase --include="systemd-sysv dbus $3" --skip=cleanup/apt/lists,cleanup/apt/cache \
        --customize-hook="chroot \"\$1\" sh -c 'apt-get clean; apt-get install -y --no-install-recommends -d ${4-}'" \
        "$2" "$tree.$$" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    ) >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -rf "$tree.$$" "$log"
      say "Debian's $2 could not be fetched (see above); DEBIAN_MIRROR names another mirror."
      exit 1
    fi
    rm -f "$log"
    mv "$tree.$$" "$tree"
  fi
  exec 9>&-
}

# The Debian 13 with libvirt, Node and npm that the tests of the service and of the documentation boot.
debian_13_with_npm() { debian_tree debian-13-npm trixie 'libpam-systemd procps nodejs libvirt-daemon npm'; }

# nspawn ARGUMENT...: becomes the parent of a container, which ends with it, and with the caller. Its pid namespace is its
# own: what runs in the container does not end with systemd-nspawn. So is its control group: in a common one, each
# systemd would end the processes of the other's service of the same name. Groups of ended containers go at the next
# start.
nspawn() {
  unified=/sys/fs/cgroup/unified
  [ -d $unified ] || unified=/sys/fs/cgroup
  groups=$(sed -n "s|^0::|$unified|p; s|^[0-9]*:name=systemd:|/sys/fs/cgroup/systemd|p" /proc/self/cgroup)
  # shellcheck disable=SC2016 # The dollar signs are those of the inner shell.
  groups=$groups SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec setpriv --pdeathsig KILL sh -c '
    for group in $groups; do
      for old in "$group"/vhostmd-*; do
        [ -e "/proc/${old##*-}" ] || find "$old" -depth -type d -exec rmdir {} +
      done
      mkdir "$group/vhostmd-$$" && echo $$ >"$group/vhostmd-$$/cgroup.procs"
    done 2>/dev/null
    exec unshare --pid --fork --mount-proc --kill-child \
      systemd-nspawn --quiet --register=no --keep-unit --link-journal=no --console=pipe "$@"' sh "$@" </dev/null
}

# wait_for_boot CONTAINER CONSOLE: waits until systemd has started everything in the container that the process
# CONTAINER runs; sets $leader to the container's first process.
wait_for_boot() {
  tries=0
  until booted "$1"; do
    tries=$((tries + 1))
    if [ $tries -gt 240 ] || ! kill -0 "$1" 2>/dev/null; then
      cat "$2" >&2
      say 'systemd does not boot in a container here (see above): it needs mounts, namespaces and control groups of its own.'
      exit 1
    fi
    sleep 0.5
  done
}
child_of() {
  child=$(cat "/proc/$1/task/$1/children" 2>/dev/null || pgrep -P "$1") || return 1
  child=${child%% *}
  [ -n "$child" ]
}
booted() {
  # Its child is systemd-nspawn.
  child_of "$1" && child_of "$child" || return 1
  leader=$child
  case $(nsenter --all --target "$leader" systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac
}

# stop_container CONTAINER: ends it at once, as a loss of power does; unshare ignores other signals.
stop_container() {
  kill -KILL "$1" 2>/dev/null || :
}
