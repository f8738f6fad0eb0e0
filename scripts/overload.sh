#!/bin/sh
# `npm run overload [-- --minutes N --loops N --staying N --changing N]`: runs the daemon at a period of 1 s beside busy
# loops and VMs that start and stop, for twenty minutes. Checks every document for values that vanish, and ends with a
# verdict.
set -eu
. "$(dirname "$0")/common.sh"
build
need_virtual_machines 'the overload'
rm -rf .cache/soak
./node_modules/.bin/tsc -p test/soak/tsconfig.json
in_own_pid_namespace node .cache/soak/test/soak/overload-main.js "$@"
