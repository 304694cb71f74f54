#!/usr/bin/env bash
# The load traces: the generator gives the committed bytes, the simulator reads them all, the bench judges them.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
plugin=$PWD/build/release/bin/kubectl-scalableapp
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PYTHONDONTWRITEBYTECODE=1

traces=(traces/*.csv)
succeeds "the generator writes the traces" traces/generate --to "$dir"
succeeds "as many as are committed" bash -c '[ "$(ls "$1"/*.csv | wc -l)" = "$2" ]' - "$dir" "${#traces[@]}"
for trace in "${traces[@]}"; do
  succeeds "$(basename "$trace") has the generator's bytes" cmp "$trace" "$dir/$(basename "$trace")"
done
cp traces/generate traces/README.md "$dir"
succeeds "it writes README.md's table" "$dir/generate"
succeeds "to the committed bytes" cmp traces/README.md "$dir/README.md"
succeeds "an unknown trace is refused" bash -c '! traces/generate none 2>"$1/none.err" && grep -q "none: no such trace; one of step" "$1/none.err"' - "$dir"

# One replica that refuses what it cannot serve plays each trace in little time.
sed 's/replicas: {min: .*, max: .*}/replicas: {min: 1, max: 1}/; s/intervalSeconds: 1/intervalSeconds: 60/' traces/web.yaml >"$dir/one.yaml"
for trace in "${traces[@]}"; do
  succeeds "the simulator reads $(basename "$trace")" "$plugin" simulate -f "$dir/one.yaml" --trace "$trace" --queue-limit 1 --format csv
done
succeeds "the bench judges two traces" scripts/bench/traces --seeds 1 --only step job-burst --out "$dir"
succeeds "with all figures as JSON" python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))
assert [row["trace"] for row in rows] == ["step", "job-burst"], rows
for row in rows:
    assert row["verdict"] in ("win", "tie", "lose") and row["why"], row
    assert {"sloResult", "costOfCheapest", "costOfBest", "loadTurns", "turnsAllowed", "settings"} <= row.keys(), row
    assert set(row["policies"]) == {"scalableapp", "hpa", "keda", "kpa"}, row
    for figures in row["policies"].values():
        for field in ("sloViolationSeconds", "replicaSeconds", "directionChanges"):
            assert 0 <= figures[field]["mean"] <= figures[field]["worst"], row
' "$dir/traces.json"
succeeds "and as a Markdown table" grep -q "^| step | \*\*" "$dir/traces.md"
exit "$failed"
