#!/usr/bin/env bash
# Installs hookctl for the action, or finds the one on the PATH.
set -euo pipefail

fail() {
  echo "::error::$1" >&2
  exit 1
}

if [[ $HOOKCTL_VERSION == path ]]; then
  [[ ${HOOKCTL_VERIFY_ATTESTATION:-false} == false ]] ||
    fail "version is 'path', so no archive is downloaded whose attestation could be verified."
  command -v hookctl >/dev/null || fail "version is 'path', but hookctl is not on the PATH."
else
  # On Windows, the runner and this shell write paths differently.
  temp=${RUNNER_TEMP:?}
  if command -v cygpath >/dev/null; then temp=$(cygpath -u "$temp"); fi
  export HOOKCTL_INSTALL_DIR=$temp/hookctl-bin HOOKCTL_ARCHIVES=$temp/hookctl-archives
  sh "$(dirname "$0")/../install.sh"
  added=$HOOKCTL_INSTALL_DIR
  if command -v cygpath >/dev/null; then added=$(cygpath -w "$added"); fi
  echo "$added" >>"${GITHUB_PATH:?}"
  PATH=$HOOKCTL_INSTALL_DIR:$PATH
fi
version=$(hookctl -V)
echo "version=${version#hookctl }" >>"${GITHUB_OUTPUT:?}"
