#!/bin/sh
# `npm run soak [-- --minutes N --period MS --plot FILE --json FILE]`: runs two days of ticks (or TICKS of them) in
# forty minutes, under load of every kind; prints the resources of the daemon over time.
set -eu
. "$(dirname "$0")/common.sh"
need_modules
need_virtual_machines 'the soak'
say 'Building'
rm -rf .cache/soak
./node_modules/.bin/tsc -p test/soak/tsconfig.json
# A libvirt call that hangs occupies a worker thread, as in the program itself.
export UV_THREADPOOL_SIZE=16
in_own_pid_namespace node .cache/soak/test/soak/main.js "$@"
