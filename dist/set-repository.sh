#!/usr/bin/env bash
# Writes the address of the repository into the manifests, for `cargo publish` and `cargo binstall`.
#
#   dist/set-repository.sh OWNER/NAME
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || {
  echo "usage: dist/set-repository.sh OWNER/NAME" >&2
  exit 64
}
address=https://github.com/$1
for manifest in Cargo.toml crates/*/Cargo.toml; do
  sed '/^repository/d' "$manifest" | awk -v address="$address" '
    { print }
    /^\[workspace.package\]/ { print "repository = \"" address "\"" }
    /^\[package\]/ { print "repository.workspace = true" }
  ' >"$manifest.new"
  mv "$manifest.new" "$manifest"
done
