#!/bin/sh
# `npm run build`: bundles the program and the package's entries in dist, and compiles each file of src to
# .cache/modules, for tests, benchmarks and scripts that run a part of the program.
set -eu
cd "$(dirname "$0")/.."
rm -rf dist .cache/modules
./node_modules/.bin/tsc -p tsconfig.types.json
./node_modules/.bin/tsc -p tsconfig.build.json
node scripts/bundle.mjs
chmod +x dist/vhostmd.cjs
