#!/bin/sh
# `npm run soak [-- --minutes N --period MS --plot FILE --json FILE]`: two days of ticks (or TICKS of them) in forty
# minutes, with everything going on that a host may do; prints what the daemon holds over time.
set -eu
. "$(dirname "$0")/common.sh"
need_modules
need_virtual_machines 'the soak'
say 'Building'
rm -rf .cache/soak
./node_modules/.bin/tsc -p test/soak/tsconfig.json
# libvirt calls that hang occupy a worker thread each, as in the program itself.
export UV_THREADPOOL_SIZE=16
in_own_pid_namespace node .cache/soak/test/soak/main.js "$@"
