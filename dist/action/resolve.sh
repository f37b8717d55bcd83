#!/usr/bin/env bash
# Decides which release the action installs. Every input is an environment variable and untrusted.
set -euo pipefail

output=${GITHUB_OUTPUT:?}

fail() {
  echo "::error::$1" >&2
  exit 1
}

repository=${HOOKCTL_REPOSITORY:-}
# The pull request of a fork gets no variables of the repository. It must not fail for that.
if [[ -z $repository && -n ${HEAD_REPOSITORY:-} && $HEAD_REPOSITORY != "${GITHUB_REPOSITORY:-}" ]]; then
  echo "::notice::This pull request comes from a fork, which gets no variables. hookctl was not installed, and checked nothing."
  echo "skip=true" >>"$output"
  exit 0
fi
[[ $repository =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] ||
  fail "The repository that hookctl is released from is not known: set the input 'repository' to OWNER/NAME."

# Without the input, the action installs its own version. A branch, a commit, or a moving tag such as v1 in `uses:` names
# no release; the manifest beside the action does.
version=${HOOKCTL_VERSION:-}
manifest=$(dirname "$0")/../../Cargo.toml
if [[ -z $version && -f $manifest ]]; then
  version=v$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$manifest")
fi
[[ $version =~ ^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
  fail "The input 'version' must name one release, such as v0.1.0."

{
  echo "version=v${version#v}"
  echo "repository=$repository"
  echo "archives=${RUNNER_TEMP:?}/hookctl-archives"
  echo "cache-key=hookctl-archive-${repository//\//-}-v${version#v}-${RUNNER_OS:-Linux}-${RUNNER_ARCH:-X64}"
} >>"$output"
