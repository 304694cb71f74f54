#!/usr/bin/env bash
# How ./test counts and what it tells, on outputs made up here.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/gtest" <<'TEXT'
echo '[       OK ] Sampler.AsksInTurn (3 ms)'
echo 'workload/jobs/redis_streams_test.cc:19: Skipped'
echo 'no redis-server on PATH'
echo
echo '[  SKIPPED ] RedisStreamsTest.IsEmptyAtFirst (0 ms)'
echo '[  SKIPPED ] RedisStreamsTest.KeepsTheOrder (0 ms)'
echo '[  FAILED  ] Sampler.Stops (3 ms)'
echo '[  SKIPPED ] 2 tests, listed below:'
echo '[  SKIPPED ] RedisStreamsTest.IsEmptyAtFirst'
exit 1
TEXT
cat >"$scratch/checks" <<'TEXT'
echo 'ok one'
echo 'ok two'
TEXT

counted() { # SCRIPT: what ./test says of a run of it
  SCALABLEAPP_CACHE=$scratch/cache bash -c '
    set -euo pipefail
    . scripts/lib/common.sh
    . tests/lib/count.sh
    run_counted sample bash "$1"
    closing_line' bash "$1" 2>&1
}
says() { # NAME TEXT LINE: as a whole, but for the time in front
  sed 's/^\[ *[0-9]*s\] //' <<<"$2" | grep -qxF -- "$3"
  verdict "$1" $? "wanted [$3], got: $2"
}

output=$(counted "$scratch/gtest")
says "skipped cases are counted in the last line" "$output" "1 passed, 1 failed, 2 skipped"
says "their suite is named with the reason" "$output" "skipped: RedisStreamsTest, 2 cases: no redis-server on PATH"
output=$(counted "$scratch/checks")
says "without a skip the last line says nothing of it" "$output" "2 passed, 0 failed"
says "a script's checks are told" "$output" "       ok two"
exit "$failed"
