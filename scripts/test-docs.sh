#!/bin/sh
# `npm run test:docs [-- here | debian]`: runs the commands of README.md and docs/ as written, each time in a fresh copy
# of this folder: on a copy of this machine in memory, and in a booted Debian 13 with its own Node and npm; as root and
# as an ordinary user. Needs root and a network; the last line has the number of passed commands.
set -eu
. "$(dirname "$0")/common.sh"

purpose='the test of the documentation'
need_containers "$purpose" 'npm run test:docs'
build
have_libvirt || need_packages "$purpose" libvirt0

# Users of the containers need access to the shared folder.
chmod 755 "$work"
mkdir -p "$work/shared/clone"
# Copies the files of a clone, with uncommitted changes.
if git rev-parse --git-dir >/dev/null 2>&1; then
  git ls-files --cached --others --exclude-standard -z | xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' sh |
    tar -cf - --null -T - | tar -xf - -C "$work/shared/clone"
else
  tar --exclude=./node_modules --exclude=./dist --exclude=./.cache -cf - . | tar -xf - -C "$work/shared/clone"
fi

# Passes on how this machine reaches its package registry: the settings of npm, and the trusted certificates.
for setting in registry proxy https-proxy noproxy strict-ssl cafile; do
  value=$(npm config get "$setting")
  case $value in null | undefined | '') ;; *) printf "export npm_config_%s='%s'\n" "$(echo "$setting" | tr - _)" "$value" ;; esac
done >"$work/shared/environment"
for name in NODE_EXTRA_CA_CERTS http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  value=$(printenv "$name") || continue
  printf "export %s='%s'\n" "$name" "$value"
done >>"$work/shared/environment"
certificates=
for file in "${NODE_EXTRA_CA_CERTS:-}" "$(npm config get cafile)"; do
  [ ! -f "$file" ] || certificates="$certificates --bind-ro=$file"
done

# Runs for both users, in a container. Root's clone is in a folder that only root may enter, like /root.
cat >"$work/shared/readers.sh" <<'END'
set -u
. /mnt/environment
environment=$1
shift
reader=vhostmd-reader
useradd --create-home --shell /bin/sh $reader
printf '== %s: npm %s, Node %s\n' "$environment" "$(npm --version)" "$(node --version)"
cp -R /mnt/clone /home/$reader/vhostmd
chown -R $reader: /home/$reader
setpriv --reuid $reader --regid $reader --init-groups env HOME=/home/$reader PATH=/usr/local/bin:/usr/bin:/bin \
  sh -c 'cd ~/vhostmd && exec node scripts/docs-commands.mjs "$@"' sh "$environment, an ordinary user" 'as anybody'
mkdir -m 700 /home/root
cp -R /mnt/clone /home/root/vhostmd
cd /home/root/vhostmd
HOME=/home/root exec node scripts/docs-commands.mjs "$environment, root" 'as anybody' 'as root' "$@"
END

# copy_of NAME DIRECTORY ARGUMENT...: becomes a container whose changes stay in memory, except for the homes of its
# users.
copy_of() {
  home=$work/home-$1
  directory=$2
  shift 2
  mkdir "$home"
  # shellcheck disable=SC2086 # Options.
  nspawn --directory="$directory" --volatile=overlay --machine="vhostmd-docs-$$" --bind="$home:/home" \
    --bind-ro="$work/shared:/mnt" $certificates "$@"
}
# The root folder cannot be a container's, but a second mount of it can. The mount ends with the container.
here() (
  mkdir "$work/root"
  mount --bind --make-private / "$work/root"
  trap 'umount "$work/root"' EXIT
  (copy_of here "$work/root" sh /mnt/readers.sh 'this machine')
)
# Uses the machine's network, because npm needs it.
debian() {
  debian_13_with_npm
  (copy_of debian "$tree" --boot) >"$work/console" 2>&1 &
  container=$!
  wait_for_boot "$container" "$work/console"
  nsenter --all --target "$leader" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    sh /mnt/readers.sh 'Debian 13' 'under systemd'
}

passed=0
failed=0
for place in ${*:-here debian}; do
  say "Running the documentation's commands: $place"
  "$place" >"$work/log" 2>&1 || :
  # The last line has the total, so the totals of each user are left out.
  grep -Ev '^[0-9]+ passed, [0-9]+ failed$' "$work/log" || :
  passed=$((passed + $(grep -c '^passed: ' "$work/log" || :)))
  failed=$((failed + $(grep -c '^FAILED: ' "$work/log" || :)))
  [ "$(grep -Ec '^[1-9][0-9]* passed, [0-9]+ failed$' "$work/log")" = 2 ] && continue
  failed=$((failed + 1))
  echo "FAILED: $place: not both users came to an end"
done
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
