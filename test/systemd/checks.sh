# Sourced by tests in a booted Debian, whose first process is $leader: runs commands there, and counts checks.

passed=0
failed=0
disk=/dev/shm/vhostmd0
conf=/etc/vhostmd/vhostmd.conf

inside() { nsenter --all --target "$leader" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SYSTEMD_PAGER= "$@"; }
script() { inside sh -c "$1"; }
show() { inside systemctl show --property "$1" --value vhostmd; }
# with_status WHAT: prints the status as an administrator sees it.
with_status() {
  printf '\n== %s\n' "$1"
  inside systemctl status --no-pager --lines 4 vhostmd
  printf '\n'
}
# check WHAT COMMAND...: counts and prints whether a command succeeds.
check() {
  what=$1
  shift
  if "$@" >/dev/null; then
    passed=$((passed + 1))
    printf 'passed: %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'FAILED: %s (%s)\n' "$what" "$*"
    inside journalctl --no-pager --quiet --lines 12 --unit vhostmd --unit vhostmd-disks --unit libvirtd
  fi
}
# eventually SECONDS COMMAND...: repeats a command until it succeeds.
eventually() {
  left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || return 1
    sleep 0.2
  done
}
is() { [ "$(show "$1")" = "$2" ] || { printf '%s is %s\n' "$1" "$(show "$1")" >&2; return 1; }; }
says() { case $(show StatusText) in *$1*) ;; *) printf 'StatusText is %s\n' "$(show StatusText)" >&2; return 1 ;; esac }
says_not() { ! says "$1" 2>/dev/null; }
main() { show MainPID; }
is_not() { [ "$1" != "$2" ]; }
at_most() { [ "$1" -le "$2" ] || { printf '%s\n' "$1" >&2; return 1; }; }
at_least() { [ "$1" -ge "$2" ] || { printf '%s\n' "$1" >&2; return 1; }; }
has_metric() { script "vhostmd dump --json $disk | grep -q '\"$1\"'"; }
# timed COMMAND...: prints the milliseconds that a command takes.
timed() {
  from=$(date +%s%3N)
  "$@" >/dev/null 2>&1
  echo $(($(date +%s%3N) - from))
}
settings() { script "mkdir -p /etc/systemd/system/vhostmd.service.d && printf '$1' >/etc/systemd/system/vhostmd.service.d/test.conf && systemctl daemon-reload"; }
add_metric() { script "sed -i 's|</metrics>|$1</metrics>|' $conf"; }
# owner FILE USER: whether the file is the user's, and of the mode of a metrics disk.
owner() { script "[ \$(stat -c %U:%a $1) = $2:644 ]"; }
# totals: prints the counts; fails if a check has failed.
totals() {
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
