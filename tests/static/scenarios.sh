#!/usr/bin/env bash
# What the scenarios' reader, simulator and judge make of files and of made-up runs, without a cluster; and each scenario
# in the simulator, as it is. A line "ok NAME" for each, as count.sh counts them.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
# shellcheck source=../../scripts/lib/common.sh
. scripts/lib/common.sh
set +e
need_python_yaml
for test in scenarios scenarios_run; do python3 "tests/static/${test}_test.py" || failed=1; done

refused() { # NAME EXIT-CODE TEXT COMMAND...
  local name=$1 code=$2 text=$3 output rc=0
  shift 3
  output=$("$@" 2>&1) || rc=$?
  [ "$rc" = "$code" ] && grep -qF -- "$text" <<<"$output"
  verdict "$name" $? "wanted $code and [$text], got $rc and: $output"
}
refused "a scenario that is none is refused with their names" 2 "there is no scenario myspace; must be one of amazon-sale" \
  scripts/scenario check myspace
refused "scripts/scenario says what it does" 2 "usage: scripts/scenario list" scripts/scenario play
for file in scenarios/*.yaml; do
  name=$(basename "$file" .yaml)
  succeeds "$name is as expected in the simulator" scripts/scenario simulate "$name" --without-days
done
exit "$failed"
