#!/usr/bin/env bash
# Builds what a release ships for one target: an archive, and on Linux with glibc a Debian package.
#
#   dist/package.sh [--target TRIPLE] [--profile NAME] [--no-build] [--deb]
#
# The results are in dist/out. `dist/package.sh --finish OWNER/NAME TAG` completes a folder of all targets: the checksums,
# the installer, and the Homebrew formula. The tools are cargo, tar, and gzip; --deb needs cargo-deb and dpkg.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/dist/out
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

fail() {
  echo "error: $1" >&2
  exit 1
}
digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

finish() { # finish OWNER/NAME TAG
  [[ $1 =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || fail "the repository must be OWNER/NAME"
  [[ $2 == "v$version" ]] || fail "the tag $2 does not match the version $version of Cargo.toml"
  cd "$out"
  local name sum arguments=(-e "s|@REPOSITORY@|$1|" -e "s|@TAG@|$2|" -e "s|@VERSION@|$version|")
  sed -e "s|@REPOSITORY@|$1|" -e "s|@VERSION@|$2|" ../install.sh >install.sh
  for name in aarch64-apple-darwin x86_64-apple-darwin aarch64-unknown-linux-musl x86_64-unknown-linux-musl; do
    [[ -f hookctl-$name.tar.gz ]] || fail "hookctl-$name.tar.gz is missing"
    sum=$(digest "hookctl-$name.tar.gz")
    arguments+=(-e "s|@SHA256_$name@|$sum|")
  done
  sed "${arguments[@]}" ../homebrew.rb.in >hookctl.rb
  if grep -n '@[A-Za-z]' hookctl.rb install.sh | grep -E '@(REPOSITORY|TAG|VERSION|SHA256)'; then fail "a template is not complete"; fi
  rm -f SHA256SUMS
  for name in *; do
    printf '%s  %s\n' "$(digest "$name")" "$name"
  done >../SHA256SUMS.new
  mv ../SHA256SUMS.new SHA256SUMS
  cat SHA256SUMS
}

target=
profile=dist build=true deb=false
while (($# > 0)); do
  case $1 in
    --target)
      target=$2
      shift 2
      ;;
    --profile)
      profile=$2
      shift 2
      ;;
    --no-build)
      build=false
      shift
      ;;
    --deb)
      deb=true
      shift
      ;;
    --finish)
      finish "$2" "$3"
      exit
      ;;
    *) fail "unknown argument $1" ;;
  esac
done

# Only a build needs the toolchain: `--finish` runs where none is installed.
if [[ -z $target ]]; then target=$(rustc -vV | sed -n 's/^host: //p'); fi
if $build; then cargo build --locked --profile "$profile" --bin hookctl --target "$target"; fi
built=${CARGO_TARGET_DIR:-$PWD/target}/$target/$profile
suffix=
if [[ $target == *-windows-* ]]; then suffix=.exe; fi
binary=$built/hookctl$suffix
[[ $("$binary" -V) == "hookctl $version" ]] || fail "$binary is not hookctl $version"

# The same folder feeds the archive, the Debian package, and the image.
name=hookctl-$target
stage=$PWD/dist/stage/$name
rm -rf "$stage"
mkdir -p "$stage/completions" "$stage/man" "$out"
cp "$binary" LICENSE README.md CHANGELOG.md "$stage/"
for shell in bash zsh fish powershell elvish; do
  "$binary" completions "$shell" >"$stage/completions/hookctl.$shell"
done
"$binary" man --folder "$stage/man"

if [[ $suffix == .exe ]]; then
  rm -f "$out/$name.zip"
  if command -v 7z >/dev/null; then
    (cd "$stage/.." && 7z a -bso0 "$out/$name.zip" "$name")
  else
    (cd "$stage/.." && zip -qr "$out/$name.zip" "$name")
  fi
else
  # The same commit makes the same archive.
  options=()
  if tar --version | grep -q GNU; then
    options=(--sort=name --owner=0 --group=0 --numeric-owner "--mtime=@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")
  fi
  tar -C "$stage/.." "${options[@]+"${options[@]}"}" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
fi

if $deb; then
  rm -rf dist/stage/deb
  cp -r "$stage" dist/stage/deb
  gzip -9n dist/stage/deb/man/*
  cargo deb --no-build --no-strip --locked --target "$target" --profile "$profile" --output "$out/"
fi
ls -l "$out"
