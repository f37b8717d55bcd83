#!/bin/sh
# One step for Jenkins, Buildkite, or any other CI system: `hookctl.sh plan`, `hookctl.sh apply`, or `hookctl.sh drift`.
#
# Set HOOKCTL_API_URL and HOOKCTL_ALLOWED_HOSTS in the job, not in the repository. Keep the folder .hookctl between
# runs, hand hookctl-plan.json from the plan to the apply, and run one apply at a time. `exec` lets a signal to this script
# reach hookctl, which settles what is in flight.
set -eu
case ${1:-} in
  plan)
    hookctl validate
    exec hookctl sync --dry-run --allow-missing-secrets --output markdown --out=hookctl-plan.json
    ;;
  apply) exec hookctl apply --unseen-tokens apply hookctl-plan.json ;;
  drift) exec hookctl sync --dry-run --allow-missing-secrets --detailed-exitcode ;;
  *)
    echo "usage: $0 plan | apply | drift" >&2
    exit 64
    ;;
esac
