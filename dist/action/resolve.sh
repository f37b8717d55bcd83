#!/usr/bin/env bash
# Decides which release the action installs. Every input is an environment variable and untrusted.
set -euo pipefail

fail() { echo "::error::$1" >&2; exit 1; }

[[ ${HOOKCTL_REPOSITORY:-} =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] ||
  fail "The repository that hookctl is released from is not known: set the input 'repository' to OWNER/NAME."
case ${HOOKCTL_VERSION:-} in
  v[0-9]*) ;;
  [0-9]*) HOOKCTL_VERSION=v$HOOKCTL_VERSION ;;
  *) fail "The input 'version' must name a release, such as v0.1.0." ;;
esac
[[ $HOOKCTL_VERSION =~ ^v[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.]+)?$ ]] || fail "The version is not a release tag."

{
  echo "version=$HOOKCTL_VERSION"
  echo "repository=$HOOKCTL_REPOSITORY"
  echo "archives=${RUNNER_TEMP:?}/hookctl-archives"
  # A short tag such as v1 moves, so its cache key contains the day.
  day=
  [[ $HOOKCTL_VERSION =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]] || day=-$(date -u +%Y%m%d)
  echo "cache-key=hookctl-archive-${HOOKCTL_REPOSITORY//\//-}-$HOOKCTL_VERSION$day-${RUNNER_OS:-Linux}-${RUNNER_ARCH:-X64}"
} >>"${GITHUB_OUTPUT:?}"
