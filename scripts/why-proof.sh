#!/bin/sh
# `npm run why:proof [-- OPTIONS]`: installs what the proof of `vhostmd why` needs, builds, and runs it.
set -eu
. "$(dirname "$0")/common.sh"
build
need_virtual_machines 'the proof'
need_guests 'the proof'
rm -rf .cache/bench
./node_modules/.bin/tsc -p bench/tsconfig.json
# Guests get the tool that is beside the modules.
cp -r guest .cache/bench/
in_own_pid_namespace node .cache/bench/bench/proof/main.js "$@"
