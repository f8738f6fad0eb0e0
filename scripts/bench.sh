#!/bin/sh
# `npm run bench [-- NAME...]`: installs what the benchmarks need, builds, and prints the table.
set -eu
. "$(dirname "$0")/common.sh"
build
need_virtual_machines 'the benchmarks'
rm -rf dist/bench
./node_modules/.bin/tsc -p bench/tsconfig.json
export UV_THREADPOOL_SIZE=16
# In a pid namespace nothing outlives the benchmarks, and a QEMU that has ended is reaped at once: libvirt waits for that.
if unshare --fork --pid --mount-proc true 2>/dev/null; then
  # sh stays the first process there, because it reaps.
  exec unshare --fork --pid --mount-proc --kill-child sh -c 'node dist/bench/bench/main.js "$@"; exit $?' sh "$@"
fi
exec node dist/bench/bench/main.js "$@"
