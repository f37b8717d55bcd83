#!/usr/bin/env bash
# Installs the Rust toolchain that Cargo.toml names, and makes it the default.
#
#   dist/toolchain.sh [OPTION OF rustup toolchain install...]
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ $version =~ ^[0-9.]+$ ]] || {
  echo "error: Cargo.toml names no rust-version" >&2
  exit 1
}
rustup toolchain install "$version" --profile minimal "$@"
rustup default "$version"
