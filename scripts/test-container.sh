#!/bin/sh
# `npm run test:container [-- OPTION-OF-VITEST...]`: builds the image of Containerfile, and tests it beside real VMs.
# Needs root, and 3 GB in the temporary folder. The base image is a Debian 13 made by mmdebstrap, so no registry of
# images is needed.
set -eu
. "$(dirname "$0")/common.sh"

purpose='the test of the container'
need_containers "$purpose" 'npm run test:container'
need_programs "$purpose" 'buildah podman runc' buildah podman runc
debian_13_with_npm

export VHOSTMD_PODMAN="$work/podman" VHOSTMD_IMAGE=localhost/vhostmd
# The default limits are higher than those of this machine may be, and cannot be set then.
awk '/^Max open files/ { open = $5 } /^Max processes/ { processes = $4 } END {
  printf "[containers]\ndefault_ulimits=[\"nofile=%s:%s\",\"nproc=%s:%s\"]\n", open, open, processes, processes
}' /proc/self/limits >"$work/containers.conf"
case $(stat --file-system --format %T "$work") in overlayfs) driver=vfs ;; *) driver=overlay ;; esac
storage="--storage-driver $driver --root $work/storage --runroot $work/run"
cat >"$VHOSTMD_PODMAN" <<END
#!/bin/sh
export CONTAINERS_CONF="$work/containers.conf"
exec podman $storage --runtime runc --cgroup-manager cgroupfs --events-backend none "\$@"
END
chmod +x "$VHOSTMD_PODMAN"
trap '"$VHOSTMD_PODMAN" rm --all --force >/dev/null 2>&1 || :
umount "$work"/storage/* 2>/dev/null || :
rm -rf "$work"' EXIT

# npm in the image reaches its registry as npm does here.
cafile=$(npm config get cafile)
[ -f "$cafile" ] || cafile=${NODE_EXTRA_CA_CERTS:-/dev/null}
printf 'registry=%s\n' "$(npm config get registry)" >"$work/npmrc"
[ "$cafile" = /dev/null ] || echo 'cafile=/mnt/certificates' >>"$work/npmrc"

say 'Building the image'
log=$work/log
# shellcheck disable=SC2086 # $storage has several words.
if ! {
  base=$(buildah $storage from scratch) &&
    buildah $storage copy --quiet "$base" "$tree" / &&
    buildah $storage commit --quiet --rm "$base" localhost/debian:trixie &&
    buildah $storage build-using-dockerfile --isolation chroot --build-arg BASE=localhost/debian:trixie \
      --volume "$work/npmrc:/root/.npmrc:ro" --volume "$cafile:/mnt/certificates:ro" --tag "$VHOSTMD_IMAGE" .
} >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  say 'The image could not be built (see above).'
  exit 1
fi
sh scripts/test.sh test/container "$@"
