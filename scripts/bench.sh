#!/bin/sh
# `npm run bench [-- NAME...]`: installs the packages that the benchmarks need, builds, and prints the table.
set -eu
. "$(dirname "$0")/common.sh"
build
need_virtual_machines 'the benchmarks'
need_peers
rm -rf .cache/bench
./node_modules/.bin/tsc -p bench/tsconfig.json
in_own_pid_namespace node .cache/bench/bench/main.js "$@"
