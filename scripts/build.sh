#!/bin/sh
# `npm run build`: the program and the package's entries in dist; and each file of src for itself in .cache/modules, for the
# tests, benchmarks and scripts that run a part of the program.
set -eu
cd "$(dirname "$0")/.."
rm -rf dist .cache/modules
./node_modules/.bin/tsc -p tsconfig.types.json
./node_modules/.bin/tsc -p tsconfig.build.json
node scripts/bundle.mjs
chmod +x dist/vhostmd.cjs
