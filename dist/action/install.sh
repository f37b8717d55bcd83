#!/usr/bin/env bash
# Installs hookctl for the action, or finds the one on the PATH.
set -euo pipefail

if [[ $HOOKCTL_VERSION != path ]]; then
  export HOOKCTL_INSTALL_DIR=${RUNNER_TEMP:?}/hookctl-bin
  sh "$(dirname "$0")/../install.sh"
  echo "$HOOKCTL_INSTALL_DIR" >>"${GITHUB_PATH:?}"
  PATH=$HOOKCTL_INSTALL_DIR:$PATH
elif ! command -v hookctl >/dev/null; then
  echo "::error::version is 'path', but hookctl is not on the PATH." >&2
  exit 1
fi
version=$(hookctl --version)
echo "version=${version#hookctl }" >>"${GITHUB_OUTPUT:?}"
