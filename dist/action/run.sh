#!/usr/bin/env bash
# Runs hookctl for the action. Every input is an environment variable and untrusted: none is ever part of a script.
set -euo pipefail

summary=${GITHUB_STEP_SUMMARY:?}
output=${GITHUB_OUTPUT:?}
command=${INPUT_COMMAND:-}
plan_file=${INPUT_PLAN_FILE:-}
if [[ -n ${INPUT_TARGET:-} ]]; then export HOOKCTL_TARGET=$INPUT_TARGET; fi
target=${HOOKCTL_TARGET:-default}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fork=false
if [[ -n ${PULL_REQUEST:-} && ${HEAD_REPOSITORY:-} != "$GITHUB_REPOSITORY" ]]; then fork=true; fi

# A cancelled step signals this script only. The signal is passed on, so that hookctl settles what is in flight.
child='' signalled=false
# shellcheck disable=SC2317 # the trap calls it
forward() {
  signalled=true
  if [[ -z $child ]]; then exit 130; fi
  kill -TERM "$child" 2>/dev/null || true
}
trap forward INT TERM

# Runs hookctl, and returns its exit code even if a signal interrupts the wait.
run() { # run ARGUMENT...
  local status
  hookctl "$@" &
  child=$!
  while true; do
    signalled=false status=0
    wait "$child" || status=$?
    $signalled || break
  done
  child=
  return "$status"
}

# Writes a value so that it can neither end an HTML comment nor be taken for another value.
encoded() { # encoded TEXT
  local LC_ALL=C text=$1 shown='' index character
  for ((index = 0; index < ${#text}; index++)); do
    character=${text:index:1}
    case $character in
      [A-Za-z0-9_./]) ;;
      *) printf -v character '%%%02X' $(($(printf '%d' "'$character") & 255)) ;;
    esac
    shown+=$character
  done
  printf '%s' "$shown"
}

# Each target of each configuration has a comment of its own.
folder=$(pwd -P)
workspace=$(cd "${GITHUB_WORKSPACE:-.}" && pwd -P)
case $folder in
  "$workspace") folder=. ;;
  "$workspace"/*) folder=${folder#"$workspace"/} ;;
esac
marker="<!-- hookctl $(encoded "$target") $(encoded "$folder") $(encoded "${HOOKCTL_CONFIG:-hookctl.yaml}") -->"

# Ends the step with the exit code of hookctl and the outputs.
finish() { # finish CODE CHANGES PLAN_FILE
  printf 'exit-code=%s\nchanges=%s\nplan-file=%s\n' "$1" "${2:-false}" "${3:-}" >>"$output"
  exit "$1"
}

# Keeps one comment for each marker on the pull request. The token of a fork's job cannot write one.
comment() { # comment FILE
  [[ ${INPUT_COMMENT:-true} == true && -n ${PULL_REQUEST:-} ]] || return 0
  if $fork; then return 0; fi
  [[ $PULL_REQUEST =~ ^[0-9]+$ ]] || return 0
  local body=$work/comment ids id
  {
    echo "$marker"
    cat "$1"
  } >"$body"
  # The whole list is read before the first match is taken: `head` would end `gh` early.
  if ! ids=$(MARKER=$marker gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" \
    --jq '.[] | select(.user.type == "Bot") | select(.body | startswith(env.MARKER)) | .id'); then
    echo "::warning::The comments of the pull request could not be read; the summary contains the plan."
    return 0
  fi
  id=${ids%%$'\n'*}
  if [[ -n $id ]]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F body=@"$body" --silent
  else
    gh api --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" -F body=@"$body" --silent
  fi || echo "::warning::The comment could not be written; the job needs 'pull-requests: write'."
}

# Uploads the findings to code scanning. A failure of the upload fails nothing.
upload_sarif() {
  [[ ${INPUT_SARIF:-false} == true ]] || return 0
  if $fork; then return 0; fi
  run validate --output sarif >"$work/sarif" || true
  gzip -c "$work/sarif" | base64 | tr -d '\n' >"$work/sarif.b64"
  # The commit that was checked out, and the ref that it belongs to: the merge of a pull request, or its head.
  local commit ref=$GITHUB_REF
  commit=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || commit=$GITHUB_SHA
  if [[ -n ${PULL_REQUEST:-} && $commit == "${HEAD_SHA:-}" && $commit != "$GITHUB_SHA" ]]; then
    ref=refs/pull/$PULL_REQUEST/head
  fi
  gh api --method POST "repos/$GITHUB_REPOSITORY/code-scanning/sarifs" --silent \
    -f commit_sha="$commit" -f ref="$ref" -F sarif=@"$work/sarif.b64" ||
    echo "::warning::The findings could not be uploaded; the job needs 'security-events: write'."
}

# Annotates the lines with errors. The comment of an earlier plan would be misleading, so it is replaced.
validate() {
  local status=0
  run validate --output github || status=$?
  if ((status == 130)); then finish 130; fi
  upload_sarif
  if ((status != 0)); then
    printf '### hookctl: the files have errors\n\nThere is no plan (exit code %s). The annotations of the job show each error at its line.\n' \
      "$status" | tee -a "$summary" >"$work/failed"
    if [[ $command == plan ]]; then comment "$work/failed"; fi
    finish "$status"
  fi
}

case $command in
  validate)
    validate
    finish 0
    ;;
  plan)
    validate
    # A fork gets no secret. Its files are only validated.
    if $fork; then
      echo "::notice::This pull request comes from a fork, so it has no plan: the files are valid."
      finish 0
    fi
    arguments=(sync --dry-run --allow-missing-secrets --detailed-exitcode --output markdown)
    if [[ -n $plan_file ]]; then arguments+=("--out=$plan_file"); fi
    status=0
    run "${arguments[@]}" >"$work/plan" || status=$?
    if [[ ! -s $work/plan ]]; then
      printf '### hookctl: no plan\n\nThe plan failed with exit code %s. The log of the job contains the reason.\n' "$status" >"$work/plan"
    fi
    cat "$work/plan" >>"$summary"
    comment "$work/plan"
    saved=
    if [[ -n $plan_file && -e $plan_file ]]; then
      saved=$(cd "$(dirname -- "$plan_file")" && pwd)/$(basename -- "$plan_file")
    fi
    case $status in
      0) finish 0 false "$saved" ;;
      2 | 3) finish 0 true "$saved" ;;
      *) finish "$status" ;;
    esac
    ;;
  apply)
    again="the job"
    if [[ -n $plan_file ]]; then
      # The saved plan no longer holds: a new plan contains the rest, and is reviewed like the first.
      again="all jobs"
      arguments=(apply)
      if [[ -n ${INPUT_UNSEEN_TOKENS:-} ]]; then arguments+=("--unseen-tokens=$INPUT_UNSEEN_TOKENS"); fi
      arguments+=(--output markdown -- "$plan_file")
    else
      validate
      arguments=(sync --output markdown)
    fi
    status=0
    run "${arguments[@]}" >"$work/applied" || status=$?
    cat "$work/applied"
    cat "$work/applied" >>"$summary"
    case $status in
      4) echo "::error::A part of the plan failed. Run $again again: completed actions are not repeated." ;;
      5) echo "::error::A safety rule refused the plan; nothing was written. The log contains the reason." ;;
    esac
    finish "$status"
    ;;
  drift)
    status=0
    run sync --dry-run --allow-missing-secrets --detailed-exitcode --output markdown >"$work/drift" || status=$?
    cat "$work/drift" >>"$summary"
    case $status in
      0) echo "The account is as declared." ;;
      2) echo "::warning::The files ask for changes that were not applied." ;;
      3) echo "::error::The account was changed by hand; the summary lists the changes." ;;
    esac
    changes=false
    if ((status == 2 || status == 3)); then changes=true; fi
    finish "$status" "$changes"
    ;;
  *)
    echo "::error::The input 'command' must be validate, plan, apply, or drift." >&2
    finish 64
    ;;
esac
