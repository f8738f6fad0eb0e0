#!/bin/sh
# `npm test [-- OPTION-OF-VITEST...]`: installs the packages that the tests need, builds, and runs all tests.
set -eu
. "$(dirname "$0")/common.sh"
build
need_virtual_machines 'the tests'
need_guests 'the tests'
need_logins 'the tests'
need_receivers 'the tests'
need_unit_check 'the tests'
need_package_check 'the tests'
need_manual 'the tests'
# A libvirt call that hangs occupies a worker thread, as in the program itself.
export UV_THREADPOOL_SIZE=16
in_own_pid_namespace ./node_modules/.bin/vitest run "$@"
