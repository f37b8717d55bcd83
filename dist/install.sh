#!/bin/sh
# Installs a released hookctl binary after its checksum was verified.
#
#   HOOKCTL_REPOSITORY          OWNER/NAME on GitHub; a release fills it in
#   HOOKCTL_VERSION             the tag; a release fills it in
#   HOOKCTL_INSTALL_DIR         default: ~/.local/bin
#   HOOKCTL_DOWNLOAD_URL        a mirror of the folder of the release
#   HOOKCTL_ARCHIVES            keep the archive here, and use it if its checksum matches
#   HOOKCTL_PLATFORM            another platform than that of this machine, such as x86_64-unknown-linux-gnu
#   HOOKCTL_VERIFY_ATTESTATION  `true` also verifies with `gh` that the release workflow built the archive
set -eu

fail() {
  echo "error: $1" >&2
  exit 1
}

fetch() { # fetch NAME PATH
  curl --fail --silent --show-error --location --retry 3 --proto '=https,file' --tlsv1.2 \
    --output "$2" "$url/$1" || fail "could not download $url/$1"
}

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

platform() {
  case $(uname -m) in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=aarch64 ;;
    *) fail "no binary is released for $(uname -m); build from source" ;;
  esac
  case $(uname -s) in
    # The musl binary is static, so it runs on every distribution.
    Linux) echo "$arch-unknown-linux-musl" ;;
    Darwin) echo "$arch-apple-darwin" ;;
    MINGW* | MSYS* | CYGWIN*) echo x86_64-pc-windows-msvc ;;
    *) fail "no binary is released for $(uname -s); build from source" ;;
  esac
}

# Everything is a function, so that a download that was cut off runs nothing.
main() {
  repository=${HOOKCTL_REPOSITORY:-@REPOSITORY@}
  version=${HOOKCTL_VERSION:-@VERSION@}
  prefix=${HOOKCTL_INSTALL_DIR:-${HOME:?}/.local/bin}
  attestation=${HOOKCTL_VERIFY_ATTESTATION:-false}

  case $repository in
    *@*) fail "set HOOKCTL_REPOSITORY to the OWNER/NAME that hookctl is released from" ;;
    */*/* | /* | */ | *[!A-Za-z0-9_./-]*) fail "HOOKCTL_REPOSITORY is not of the form OWNER/NAME" ;;
    */*) ;;
    *) fail "HOOKCTL_REPOSITORY is not of the form OWNER/NAME" ;;
  esac
  case $version in
    *@*) fail "set HOOKCTL_VERSION to a release, such as v0.1.0" ;;
    *[!A-Za-z0-9_.+-]*) fail "HOOKCTL_VERSION is not a release, such as v0.1.0" ;;
    v[0-9]*) ;;
    *) fail "HOOKCTL_VERSION is not a release, such as v0.1.0" ;;
  esac
  # Any other value is a mistake, and a mistake must not skip the check.
  case $attestation in
    true) command -v gh >/dev/null 2>&1 || fail "HOOKCTL_VERIFY_ATTESTATION needs gh, the command line of GitHub" ;;
    false) ;;
    *) fail "HOOKCTL_VERIFY_ATTESTATION must be true or false" ;;
  esac
  url=${HOOKCTL_DOWNLOAD_URL:-https://github.com/$repository/releases/download/$version}

  platform=${HOOKCTL_PLATFORM:-}
  if [ -z "$platform" ]; then platform=$(platform); fi
  case $platform in
    *-windows-*) archive=hookctl-$platform.zip binary=hookctl.exe ;;
    *) archive=hookctl-$platform.tar.gz binary=hookctl ;;
  esac

  work=$(mktemp -d)
  staged=
  trap 'rm -rf "$work" ${staged:+"$staged"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
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
  if [ "$attestation" = true ]; then
    gh attestation verify "$archives/$archive" --repo "$repository" \
      --signer-workflow "$repository/.github/workflows/release.yml" \
      --source-ref "refs/tags/$version" --deny-self-hosted-runners >&2 ||
      fail "the attestation of $archive is not valid"
  fi

  mkdir "$work/unpacked"
  case $archive in
    *.zip) unzip -q "$archives/$archive" "hookctl-$platform/$binary" -d "$work/unpacked" ;;
    *) tar -xzf "$archives/$archive" -C "$work/unpacked" "hookctl-$platform/$binary" ;;
  esac
  # The new binary runs once, beside the old one. Only then does a rename replace the old one, even while it runs.
  mkdir -p "$prefix"
  staged=$(mktemp -d "$prefix/.hookctl-XXXXXX")
  cp "$work/unpacked/hookctl-$platform/$binary" "$staged/$binary"
  chmod 755 "$staged/$binary"
  reported=$("$staged/$binary" --version) || fail "the binary for $platform does not run on this machine"
  # A release may name its commit behind the version.
  case $reported in
    "hookctl ${version#v}" | "hookctl ${version#v} ("*) ;;
    *) fail "$archive contains $reported, not hookctl ${version#v}" ;;
  esac
  mv -f "$staged/$binary" "$prefix/$binary"
  echo "installed $reported as $prefix/$binary" >&2
  case :$PATH: in *":$prefix:"*) ;; *) echo "hint: add $prefix to PATH" >&2 ;; esac
}

main
