#!/bin/sh
# `npm run package [-- OPTION...] [PACKAGE...]`: builds vhostmd, vhostmd-standalone and vhostmd-guest as .deb and .rpm,
# and prints the paths.
#   --arch amd64|arm64   by default that of this machine; it builds packages for the other one, too
#   --format deb|rpm     by default both
#   --output FOLDER      by default .cache/packages
# The same commit gives the same bytes: all times are the commit's, or that of SOURCE_DATE_EPOCH. The maintainer is the
# commit's author, or that of DEBFULLNAME and DEBEMAIL; DPKG_DEB_COMPRESSOR_LEVEL (6) is xz's for both formats.
set -eu
. "$(dirname "$0")/common.sh"
umask 022

usage() {
  sed -n '2,/^#   --output/s/^# \{0,1\}//p' scripts/package.sh >&2
  exit 2
}
arch=$(uname -m)
formats='deb rpm'
output=.cache/packages
packages=
while [ $# -gt 0 ]; do
  case ${2:+set}:$1 in
    set:--arch) arch=$2 && shift ;;
    set:--format) formats=$2 && shift ;;
    set:--output) output=$2 && shift ;;
    *:vhostmd | *:vhostmd-standalone | *:vhostmd-guest) packages="$packages $1" ;;
    *) usage ;;
  esac
  shift
done
: "${packages:=vhostmd vhostmd-standalone vhostmd-guest}"
case $arch in
  amd64 | x86_64) deb_arch=amd64 rpm_arch=x86_64 node_arch=x64 ;;
  arm64 | aarch64) deb_arch=arm64 rpm_arch=aarch64 node_arch=arm64 ;;
  *) usage ;;
esac
case $formats in deb | rpm | 'deb rpm') ;; *) usage ;; esac

build
need_packaging 'the packages'
# commit FORMAT: prints a field of the commit.
commit() {
  git log -1 --format="$1" && return
  say 'This is no clone of the repository: set SOURCE_DATE_EPOCH, DEBFULLNAME and DEBEMAIL.'
  return 1
}
[ -n "${SOURCE_DATE_EPOCH-}" ] || SOURCE_DATE_EPOCH=$(commit %ct)
[ -n "${DEBFULLNAME-}" ] || DEBFULLNAME=$(commit %an)
[ -n "${DEBEMAIL-}" ] || DEBEMAIL=$(commit %ae)
maintainer="$DEBFULLNAME <$DEBEMAIL>"
export SOURCE_DATE_EPOCH
# A pre-release sorts before its release. The epoch sorts after all packages of the C daemon, which have the same name.
version=$(node -p 'require("./package.json").version' | sed 's/-/~/')
epoch=1
homepage=$(node -p 'require("./package.json").homepage')
level=${DPKG_DEB_COMPRESSOR_LEVEL:-6}
output=$(mkdir -p "$output" && cd "$output" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# fetch NAME FOLDER: installs the packages of FOLDER's lock file for the architecture, once; sets $fetched to the place.
fetch() {
  fetched=$PWD/.cache/packaging/$1-$node_arch-$(sha256sum "$2/package-lock.json" | cut -c 1-16)
  [ ! -d "$fetched" ] || return 0
  say "Fetching the packages of npm for $arch: $1"
  mkdir -p "$fetched.$$"
  cp "$2/package.json" "$2/package-lock.json" "$fetched.$$"
  npm ci --prefix "$fetched.$$" --omit=dev --os=linux --cpu="$node_arch" --libc=glibc --ignore-scripts --no-audit \
    --no-fund --loglevel=error >&2
  # Another build may have been faster.
  mv -T "$fetched.$$" "$fetched" 2>/dev/null || rm -rf "$fetched.$$"
}

# Makes what packaging/files.txt calls modules/, node/ and made/.
prepare() {
  fetch modules .
  mkdir "$work/modules" "$work/made"
  for module in koffi @koromix rxjs; do cp -R "$fetched/node_modules/$module" "$work/modules"; done
  rm -r "$work"/modules/@koromix/*/musl_*
  find "$work/modules/rxjs" -name '*.map' -delete
  case $packages in
    *standalone*)
      fetch node packaging/node
      ln -s "$fetched/node_modules/node-linux-$node_arch" "$work/node"
      ;;
  esac
  for shell in bash zsh fish; do node dist/vhostmd.cjs completion "$shell" >"$work/made/completion.$shell"; done
}

licence() {
  printf '\n%s\n\n%s\n\n' "$(printf '%72s' '' | tr ' ' -)" "$1"
  cat "$2"
}

# copyright PACKAGE FORMAT: prints the licences of all that the package has.
copyright() {
  printf 'vhostmd\nCopyright: The vhostmd contributors\nLicence: Apache License, Version 2.0\n\n'
  case $2 in
    deb) echo 'Debian has its text in /usr/share/common-licenses/Apache-2.0.' ;;
    rpm) cat LICENSE ;;
  esac
  [ "$1" != vhostmd-guest ] || return 0
  licence 'Parts of the program' dist/LICENSES.txt
  licence 'koffi' "$work/modules/koffi/LICENSE.txt"
  licence 'rxjs' "$work/modules/rxjs/LICENSE.txt"
  [ "$1" != vhostmd-standalone ] || licence 'Node.js' "$work/node/LICENSE"
}

# install_as KIND SOURCE TARGET
install_as() {
  mkdir -p "${3%/*}"
  case $1 in
    program | hook) install -m 755 "$2" "$3" ;;
    gz | man) gzip -9n <"$2" >"$3" ;;
    # SELinux would start a program of the C daemon's path in that daemon's domain, which forbids what Node does.
    unit) sed 's|^\(Exec[A-Za-z]*=[-+]*\)vhostmd |\1/usr/libexec/vhostmd |' "$2" >"$3" ;;
    tree) cp -R "$2" "$3" && find "$3" -type f -exec chmod 644 {} + ;;
    link) ln -s "$2" "$3" ;;
    *) install -m 644 "$2" "$3" ;;
  esac
}

# stage PACKAGE FORMAT: copies the files of the list to $root, and writes "KIND PATH" of each to $work/staged.
stage() {
  root=$work/$2/$1
  case $1 in
    vhostmd-guest) groups=' guest all ' ;;
    vhostmd-standalone) groups=' host standalone all ' ;;
    *) groups=' host all ' ;;
  esac
  copyright "$1" "$2" >"$work/made/copyright"
  printf '%s (%s:%s-1) unstable; urgency=medium\n\n  * The changes are in changelog.gz.\n\n -- %s  %s\n' "$1" $epoch \
    "$version" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$work/made/changelog.Debian"
  : >"$work/staged"
  sed "/^#/d; /^\$/d; s|PACKAGE|$1|" packaging/files.txt >"$work/list"
  while read -r group kind source target; do
    case $groups in *" ${group%-"$2"} "*) ;; *) continue ;; esac
    case $source in made/* | modules/* | node/*) source=$work/$source ;; esac
    for file in $source; do
      case $kind:$target in
        man:*) path=${target}man${file##*.}/${file##*/}.gz ;;
        *:*/) path=$target${file##*/} ;;
        *) path=$target ;;
      esac
      install_as "$kind" "$file" "$root$path"
      echo "$kind $path" >>"$work/staged"
    done
  done <"$work/list"
  find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# build_deb PACKAGE ARCHITECTURE: packs $root; sets $file to the path.
build_deb() {
  file=$output/$1_$version-1_$2.deb
  mkdir "$work/DEBIAN"
  if [ "$1" != vhostmd-guest ]; then
    sed -n 's/^\(config\|hook\) //p' "$work/staged" >"$work/DEBIAN/conffiles"
    install -m 755 packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm "$work/DEBIAN"
  fi
  (cd "$root" && find . -path ./etc -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs md5sum) \
    >"$work/DEBIAN/md5sums"
  size=$(find "$root" -printf '%y %s\n' | awk '{ kib += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print kib }')
  {
    sed "s/@VERSION@/$epoch:$version-1/" "packaging/deb/$1.control"
    printf '%s\n' "Version: $epoch:$version-1" "Architecture: $2" "Maintainer: $maintainer" "Installed-Size: $size" \
      "Homepage: $homepage"
  } >"$work/DEBIAN/control"
  mv "$work/DEBIAN" "$root"
  find "$root/DEBIAN" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group -Zxz -z"$level" --build "$root" "$file" >/dev/null
}

# build_rpm PACKAGE ARCHITECTURE: packs $root; sets $file to the path.
build_rpm() {
  file=$output/$1-$version-1.$2.rpm
  control=packaging/deb/$1.control
  {
    printf '%s\n' "Name: $1" "Epoch: $epoch" "Version: $version" 'Release: 1' 'License: Apache-2.0' 'AutoReqProv: no' \
      "Packager: $maintainer" "URL: $homepage" \
      "Summary: $(sed -n 's/^Description: //p' "$control")"
    sed "s/@VERSION@/$epoch:$version-1/" "packaging/rpm/$1.tags"
    printf '\n%%description\n'
    sed -n '/^Description:/,$s/^ //p' "$control" | sed 's/^\.$//'
    printf '\n%%install\ncp -a %s/. %%{buildroot}\n' "$root"
    if [ "$1" != vhostmd-guest ]; then
      for script in post preun postun; do
        printf '\n%%%s\n' "$script"
        sed 1d "packaging/rpm/$script"
      done
    fi
    printf '\n%%files\n%%defattr(-,root,root,-)\n'
    find "$root" -mindepth 1 -printf '%y /%P\n' | LC_ALL=C sort -k 2 | while read -r type path; do
      case $type:$(sed -n "s|^\([a-z]*\) $path\$|\1|p" "$work/staged"):$path in
        d:*/vhostmd* | d:*/qemu.d) echo "%dir $path" ;;
        d:*) ;;
        *:config:*) echo "%config(noreplace) $path" ;;
        *:hook:*) echo "%config $path" ;;
        *:/usr/share/licenses/*) echo "%license $path" ;;
        *) echo "$path" ;;
      esac
    done
  } >"$work/$1.spec"
  # Nothing of the machine that builds: no stripping, no name, no time.
  rpmbuild -bb --quiet --target "$2" --define "_topdir $work/rpmbuild" --define "_rpmdir $output" \
    --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' --define '__os_install_post %{nil}' \
    --define 'debug_package %{nil}' --define '_build_id_links none' --define '_buildhost localhost' \
    --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
    --define "_binary_payload w$level.xzdio" "$work/$1.spec" >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
}

prepare
for format in $formats; do
  for package in $packages; do
    stage "$package" "$format"
    case $format:$package in
      deb:vhostmd-guest) build_deb "$package" all ;;
      deb:*) build_deb "$package" "$deb_arch" ;;
      rpm:vhostmd-guest) build_rpm "$package" noarch ;;
      rpm:*) build_rpm "$package" "$rpm_arch" ;;
    esac
    rm -rf "$root"
    echo "$file"
  done
done
