#!/bin/sh
# `npm run release [-- --verify]`: builds the files of a release in release/VERSION, from a clone of the commit: the npm
# package, the .deb and .rpm packages for amd64 and arm64, the bill of materials, and SHA256SUMS.
#   --verify   builds them again in a second clone, and compares
set -eu
. "$(dirname "$0")/common.sh"

case $* in '' | --verify) ;; *) sed -n '2,4s/^# \{0,1\}//p' scripts/release.sh >&2 && exit 2 ;; esac
refuse() { say "$@"; exit 1; }

need_node
version=$(node -p 'require("./package.json").version')
changes=$(git status --porcelain)
[ -z "$changes" ] || refuse "The tree has changes. Commit or remove them: git status
$changes"
grep -Eq "^## \[$version\] - [0-9]{4}-[0-9]{2}-[0-9]{2}\$" CHANGELOG.md ||
  refuse "CHANGELOG.md has no section \"## [$version] - YYYY-MM-DD\". Rename [Unreleased], or set the version: npm version"
later=$(sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/p' CHANGELOG.md | grep '^-' || :)
[ -z "$later" ] || refuse "CHANGELOG.md has changes under [Unreleased]. Move them to the section of $version."
tagged=$(git rev-parse --quiet --verify "refs/tags/v$version^{commit}" || :)
[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] ||
  refuse "v$version is the tag of another commit. Raise the version: npm version"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# make_files NAME: clones the commit and builds in the clone; the files are in $work/NAME/files.
make_files() (
  say "Building $version in a clone ($1)"
  git clone --quiet --no-tags . "$work/$1"
  cd "$work/$1"
  mkdir files
  npm ci --no-audit --no-fund --loglevel=error >&2
  # The lock files fix what the packages get from npm; once fetched, both builds use it.
  [ "$1" = first ] || { mkdir -p .cache && cp -al ../first/.cache/packaging .cache; }
  npm pack --silent --pack-destination files >/dev/null
  node scripts/sbom.mjs >"files/vhostmd-$version.cdx.json"
  for arch in amd64 arm64; do sh scripts/package.sh --arch $arch --output files >/dev/null; done
  cd files
  LC_ALL=C sha256sum -- * >SHA256SUMS
)
make_files first
if [ "$*" = --verify ]; then
  make_files second
  diff "$work/first/files/SHA256SUMS" "$work/second/files/SHA256SUMS" >&2 || refuse 'Two builds of the commit differ (see above).'
  say 'Two builds of the commit have the same checksums.'
fi
mkdir -p release
rm -rf "release/$version"
mv "$work/first/files" "release/$version"
cat "release/$version/SHA256SUMS"
say "The files are in release/$version"
