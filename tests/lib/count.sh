# shellcheck shell=bash
# Counts what ran: gtest cases by their XML-free summary lines, and checks of shell scripts ("ok NAME" / "not ok NAME").
passed=0 failed=0 skipped=0 skipped_suites=()

# tally FILE: adds the cases of a gtest or check output.
tally() {
  local file=$1
  passed=$((passed + $(grep -cE '^(\[       OK \] [^ ]+ \(|ok )' "$file" || true)))
  failed=$((failed + $(grep -cE '^(\[  FAILED  \] [^ ]+ \(|not ok )' "$file" || true)))
  skipped=$((skipped + $(grep -cE '^\[  SKIPPED \] [^ ]+ \(' "$file" || true)))
  mapfile -t -O ${#skipped_suites[@]} skipped_suites < <(name_skipped_suites "$file")
}

# "SUITE, 3 cases: WHY" for each suite of a gtest output with skipped cases
name_skipped_suites() {
  awk '/: Skipped$/ { getline why }
    /^\[  SKIPPED \] [^ ]+ \(/ { sub(/\..*/, "", $4); cases[$4]++; reason[$4] = why }
    END { for (suite in cases) print suite ", " cases[suite] " cases: " reason[suite] }' "$1"
}

# run_counted NAME COMMAND...: COMMAND's output is kept, shown when something failed, and counted; the checks of a shell
# script are told as they come. A command that fails without naming a failed case counts as one.
run_counted() {
  local name=$1 log=$logs/test-$1.log rc=0 pulse
  shift
  : >"$log"
  heartbeat "$name" "$log" "$BASHPID" '^(ok|not ok) ' </dev/null &
  pulse=$!
  "$@" >"$log" 2>&1 || rc=$?
  kill "$pulse" 2>/dev/null || true
  wait "$pulse" 2>/dev/null || true
  tell "$name" "$rc"
}

# tell NAME RC: counts what a run has left in its log, and says how it ended
tell() {
  local name=$1 rc=$2 log=$logs/test-$1.log before=$failed
  tally "$log"
  if [ "$rc" != 0 ] && [ "$failed" = "$before" ]; then failed=$((failed + 1)); fi
  if [ "$rc" != 0 ]; then
    grep -E '^(\[  FAILED|not ok)|Failure|FAILED|error' "$log" | head -n 20 >&2 || true
    say "FAILED $name (exit $rc); last lines of $log:"
    tail -n 40 "$log" >&2
  else
    say "ok     $name"
  fi
}

test_binaries() { # LABEL
  local label=$1
  (cd build/release && ctest -L "^$label\$" -N --show-only=json-v1) |
    python3 -c 'import json,sys; [print(t["command"][0]) for t in json.load(sys.stdin)["tests"]]'
}

run_ctest() {
  local binary
  for binary in $(test_binaries "$1"); do run_counted "$(basename "$binary")" "$binary"; done
}

run_script() { run_counted "$(basename "$1" .sh)" bash "$1"; }

# The integration binaries share one etcd and kube-apiserver.
run_under_apiserver() {
  local binary script adopting rc
  # beside the others, since it mostly waits for pods; with an API server of its own
  scripts/apiserver run --with-kwok=1 -- bash tests/kwok/adopt.sh >"$logs/test-adopt.log" 2>&1 &
  adopting=$!
  for binary in $(test_binaries integration); do
    run_counted "$(basename "$binary")" scripts/apiserver run -- "$binary"
  done
  for binary in $(test_binaries controllers); do
    run_counted "$(basename "$binary")" scripts/apiserver run --with-controller-manager -- "$binary"
  done
  for script in tests/apiserver/*.sh; do
    [ -e "$script" ] && run_counted "$(basename "$script" .sh)" scripts/apiserver run -- bash "$script"
  done
  rc=0
  wait "$adopting" || rc=$?
  tell adopt "$rc"
}

closing_line() {
  local suite line="$passed passed, $failed failed"
  for suite in "${skipped_suites[@]}"; do say "skipped: $suite"; done
  if [ "$skipped" != 0 ]; then line+=", $skipped skipped"; fi
  echo "$line"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
