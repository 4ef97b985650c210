#!/usr/bin/env bash
# Several models, one after the other or side by side, and one matrix of all: for cron, for a CI system
# without a recipe of its own, for a machine in the cellar.
#
#   llm-compat.sh [-j JOBS] [-o FOLDER] PROFILE...
#
# Each profile gets a process of its own, so that nothing that happens to one disturbs another. FOLDER
# (./llm-compat) gets report.html, summary.md, run.zip and the runs. Keys come from where the profiles
# say: the keyring, a variable, a file. The exit code is the matrix's: 0 all work, 1 something fails,
# 10 inconclusive, 4 a mistake.
set -euo pipefail

jobs=1 output=llm-compat
while getopts "j:o:" option; do
  case $option in
    j) jobs=$OPTARG ;;
    o) output=$OPTARG ;;
    *) exit 4 ;;
  esac
done
shift $((OPTIND - 1))
if (($# == 0)); then
  echo "usage: $0 [-j JOBS] [-o FOLDER] PROFILE..." >&2
  exit 4
fi

runs="$output/runs/$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -p "$runs"

test_one() {
  local slug code=0
  slug=$(printf %s "$2" | tr -c 'A-Za-z0-9._-' _)
  pytest --llm-profile="$2" --llm-run-dir="$1/$slug" --junitxml="$1/$slug.xml" \
    > "$1/$slug.log" 2>&1 || code=$?
  echo "$2: $code"
  # 0, 1 and 10 are answers. Anything else is a mistake, which the log tells.
  [[ $code =~ ^(0|1|10)$ ]] || { tail -n 5 "$1/$slug.log" >&2; exit 4; }
}
export -f test_one
wrong=0
printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" bash -c 'test_one "$0" "$1"' "$runs" || wrong=$?

found=("$runs"/*/session.json)
if [[ ! -e ${found[0]} ]]; then
  echo "no profile has left a run" >&2
  exit 4
elif ((${#found[@]} == 1)); then
  matrix=${found[0]%/session.json}
else
  matrix="$runs/all"
  ohllm runs merge "$runs" --output "$matrix" > /dev/null
fi
cp "$(ohllm runs open "$matrix" --no-browser)" "$output/report.html"
ohllm runs show "$matrix" --markdown > "$output/summary.md"
ohllm runs export "$matrix" --output "$output/run.zip" --overwrite
code=0
ohllm runs show "$matrix" --exit-code || code=$?
# A profile that could not be tested is missing in the matrix: that is no success.
if ((wrong && code == 0)); then code=4; fi
exit "$code"
