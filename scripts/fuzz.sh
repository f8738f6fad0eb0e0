#!/bin/sh
# `npm run fuzz [-- OPTION-OF-VITEST...]`: runs the fuzz tests with 10^6 cases each, or FUZZ_RUNS of them. They print
# their seed; FUZZ_SEED=N repeats a run.
set -eu
. "$(dirname "$0")/common.sh"
need_modules
need_programs 'the fuzz tests' 'bash busybox' bash busybox-static
export FUZZ_RUNS="${FUZZ_RUNS:-1000000}"
exec ./node_modules/.bin/vitest run test/fuzz/ "$@"
