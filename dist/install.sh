#!/bin/sh
# Installs a released hookctl binary after its checksum was verified.
#
#   HOOKCTL_REPOSITORY          OWNER/NAME on GitHub; a release fills it in
#   HOOKCTL_VERSION             the tag; a release fills it in
#   HOOKCTL_INSTALL_DIR         default: ~/.local/bin
#   HOOKCTL_DOWNLOAD_URL        a mirror of the folder of the release
#   HOOKCTL_ARCHIVES            keep the archive here, and use it if its checksum matches
#   HOOKCTL_TARGET              another target than that of this machine
#   HOOKCTL_VERIFY_ATTESTATION  `true` also verifies the build attestation with `gh`
set -eu

repository=${HOOKCTL_REPOSITORY:-@REPOSITORY@}
version=${HOOKCTL_VERSION:-@VERSION@}
prefix=${HOOKCTL_INSTALL_DIR:-$HOME/.local/bin}

fail() { echo "error: $1" >&2; exit 1; }

case $repository in *@*) fail "set HOOKCTL_REPOSITORY to the OWNER/NAME that hookctl is released from" ;; esac
case $version in *@*) fail "set HOOKCTL_VERSION to a release, such as v0.1.0" ;; esac
url=${HOOKCTL_DOWNLOAD_URL:-https://github.com/$repository/releases/download/$version}

target=${HOOKCTL_TARGET:-}
if [ -z "$target" ]; then
  case $(uname -m) in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=aarch64 ;;
    *) fail "no binary is released for $(uname -m); build from source" ;;
  esac
  case $(uname -s) in
    # The musl binary is static, so it runs on every distribution.
    Linux) target=$arch-unknown-linux-musl ;;
    Darwin) target=$arch-apple-darwin ;;
    MINGW* | MSYS* | CYGWIN*) target=x86_64-pc-windows-msvc ;;
    *) fail "no binary is released for $(uname -s); build from source" ;;
  esac
fi
case $target in
  *-windows-*) archive=hookctl-$target.zip binary=hookctl.exe ;;
  *) archive=hookctl-$target.tar.gz binary=hookctl ;;
esac

fetch() { # fetch NAME PATH
  curl --fail --silent --show-error --location --retry 3 --proto '=https,file' --tlsv1.2 \
    --output "$2" "$url/$1" || fail "could not download $url/$1"
}
digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archives=${HOOKCTL_ARCHIVES:-$work}
mkdir -p "$archives"
fetch SHA256SUMS "$work/SHA256SUMS"
expected=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
[ "${#expected}" -eq 64 ] || fail "SHA256SUMS of $version does not list $archive"
if [ ! -f "$archives/$archive" ] || [ "$(digest "$archives/$archive")" != "$expected" ]; then
  rm -f "$archives/$archive"
  fetch "$archive" "$archives/$archive"
fi
if [ "$(digest "$archives/$archive")" != "$expected" ]; then
  rm -f "$archives/$archive"
  fail "the checksum of $archive does not match SHA256SUMS"
fi
if [ "${HOOKCTL_VERIFY_ATTESTATION:-false}" = true ]; then
  gh attestation verify "$archives/$archive" --repo "$repository" >&2 || fail "the attestation of $archive is not valid"
fi

case $archive in
  *.zip) unzip -q "$archives/$archive" -d "$work/unpacked" ;;
  *) mkdir "$work/unpacked" && tar -xzf "$archives/$archive" -C "$work/unpacked" ;;
esac
mkdir -p "$prefix"
# A rename replaces a running binary.
cp "$work/unpacked/hookctl-$target/$binary" "$prefix/.$binary.new"
chmod 755 "$prefix/.$binary.new"
mv -f "$prefix/.$binary.new" "$prefix/$binary"
"$prefix/$binary" --version >/dev/null || fail "the binary for $target does not run on this machine"
echo "installed $("$prefix/$binary" --version) as $prefix/$binary" >&2
case :$PATH: in *":$prefix:"*) ;; *) echo "hint: add $prefix to PATH" >&2 ;; esac
