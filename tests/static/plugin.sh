#!/usr/bin/env bash
# kubectl-scalableapp as its users meet it: help, errors and exit codes, and small runs of the real binary.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
plugin=$PWD/build/release/bin/kubectl-scalableapp
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset KUBECONFIG
export HOME=$dir

says() { # NAME EXIT-CODE TEXT ARGUMENTS...
  local name=$1 code=$2 text=$3 output rc=0
  shift 3
  output=$("$plugin" "$@" 2>&1 </dev/null) || rc=$?
  [ "$rc" = "$code" ] && grep -qF -- "$text" <<<"$output"
  verdict "$name" $? "wanted $code and [$text], got $rc and: $output"
}
python_agrees() { # NAME JSON-FILE EXPRESSION: of `report`
  succeeds "$1" python3 -c 'import json, sys; report = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), report' "$2" "$3"
}

cat >"$dir/app.yaml" <<'YAML'
# What the shop's front needs.
apiVersion: scalableapp.io/v1alpha1
kind: ScalableApp
metadata: {name: web}
spec:
  replicas: {min: 2, max: 10}
  metrics:
  - {name: latency, type: Latency, latency: {target: 250ms}}
  - {name: cpu, type: CPU, cpu: {targetUtilization: 70}}
  template: {spec: {containers: [{name: web, image: "web:1", resources: {requests: {cpu: 100m}}}]}}
YAML
printf 'seconds,requests_per_second\n0,40\n60,300\n120,40\n240,40\n' >"$dir/spike.csv"
printf 'seconds,requests_per_second\n0,40\n60,many\n' >"$dir/bad.csv"
printf 'kind: ScalableApp\napiVersion: scalableapp.io/v1alpha1\nmetadata: {name: web}\nspec: {replicas: {max: "3"}}\n' >"$dir/wrong.yaml"

says "the overview names the commands" 0 "simulate" --help
says "the version is told" 0 "kubectl-scalableapp 0." version
steering="promote abort retry pause resume restart undo scale expect"
for command in status history $steering adopt release simulate backtest tune explain decide; do
  says "$command has help with its usage" 0 "kubectl scalableapp $command" "$command" --help
  says "$command refuses a flag that is none" 2 "--colour: no such flag of $command; must be one of --" "$command" --colour=red
done
says "an unknown command is refused" 2 "deploy: no such command; must be one of status, history, promote" deploy
for command in status history $steering explain; do
  says "$command needs a name" 2 "NAME: must be given" "$command"
  says "$command has the cluster's flags" 0 "--kubeconfig=''" "$command" --help
done
for command in $steering; do
  says "$command can be tried" 0 "--dry-run='none'" "$command" --help
done
says "scale needs to be told what" 2 "exactly one of --hold=COUNT and --release must be given" scale web
says "and not both" 2 "exactly one of --hold=COUNT and --release must be given" scale web --hold=3 --release
says "a count that is none is refused" 2 "--hold=0: must be a whole number from 1" scale web --hold=0
says "expect needs to be told what" 2 "exactly one of AMOUNT, such as 200% or 8, and --clear must be given" expect web
says "and not both as well" 2 "exactly one of AMOUNT, such as 200% or 8, and --clear must be given" expect web 200% --clear
says "an amount that is none is refused" 2 "AMOUNT 2x: must be a percentage" expect web 2x
says "a third argument is too much" 2 "now: expect takes one NAME and one AMOUNT only" expect web 200% now
says "a timeout without --wait is refused" 2 "--timeout: only with --wait" status web --timeout=5m
says "JSON is not drawn again and again" 2 "--output=json: not with --watch or --wait" status web -w -o json
says "a dry run on the server is not offered" 2 "--dry-run=server: must be one of none, client" pause web --dry-run=server
says "without a cluster status says what it looked for" 1 "error: " status web
says "a value that is none is refused with what it should be" 2 "--seed=x: must be a whole number" simulate --seed=x
says "a format that is none is refused" 2 "--format=xml: must be one of table, json, csv" simulate --format=xml
says "a picture of another kind is refused" 2 "--plot=a.gif: must be a file that ends in .svg, .png or .html" simulate --plot a.gif
says "without a manifest it says which flag to set" 2 "-f, --filename: must be set" simulate --trace "$dir/spike.csv"
says "without a trace as well" 2 "--trace: must be set" simulate -f "$dir/app.yaml"
says "a manifest that is not there is named" 1 "$dir/none.yaml: No such file" simulate -f "$dir/none.yaml" --trace "$dir/spike.csv"
says "what is wrong with a manifest is told" 1 "wrong.yaml: spec.replicas.max: must be a whole number" \
  simulate -f "$dir/wrong.yaml" --trace "$dir/spike.csv"
sed 's/target: 250ms/quantil: 0.5, &/' "$dir/app.yaml" >"$dir/unknown.yaml"
for command in "simulate --trace $dir/spike.csv" "tune --trace $dir/spike.csv" "decide --observation $dir/spike.csv" \
  "backtest --prometheus http://127.0.0.1:1 --range 1h"; do
  # shellcheck disable=SC2086
  says "${command%% *} refuses a field that nobody reads" 1 \
    "unknown.yaml: spec.metrics[0].latency.quantil: unknown field; did you mean quantile?" $command -f "$dir/unknown.yaml"
done
says "a bad trace is named by file and line" 1 "bad.csv line 3" simulate -f "$dir/app.yaml" --trace "$dir/bad.csv"
says "a Prometheus that is not there is named" 1 "http://127.0.0.1:1: " \
  backtest -f "$dir/app.yaml" --prometheus http://127.0.0.1:1 --range 1h
says "an operator that is not there is named" 1 "http://127.0.0.1:1: " explain web --server http://127.0.0.1:1
says "without a cluster explain says what it looked for" 1 "error: " explain web

for run in a b; do
  succeeds "simulate against all runs ($run)" "$plugin" simulate -f "$dir/app.yaml" --trace "$dir/spike.csv" \
    --against all --plot "$dir/$run.svg"
  "$plugin" simulate -f "$dir/app.yaml" --trace "$dir/spike.csv" --against all --seed 5 --format json >"$dir/$run.json" 2>&1
done
succeeds "the same seed gives the same bytes" cmp "$dir/a.json" "$dir/b.json"
succeeds "and the same picture" cmp "$dir/a.svg" "$dir/b.svg"
"$plugin" simulate -f "$dir/app.yaml" --trace "$dir/spike.csv" --against all --seed 6 --format json >"$dir/c.json"
succeeds "another seed gives others" bash -c '! cmp -s "$1" "$2"' - "$dir/a.json" "$dir/c.json"
python_agrees "the policies are in the order asked for" "$dir/a.json" \
  "[p['name'] for p in report['policies']] == ['scalableapp', 'hpa', 'keda', 'kpa'] and report['trace'].endswith('spike.csv')"
python_agrees "each has the figures that were promised" "$dir/a.json" \
  "all(isinstance(p[k], (int, float)) for p in report['policies'] for k in ('sloViolationSeconds', 'replicaSeconds', 'scaleEvents', 'directionChanges', 'worstQueue', 'recoverySeconds'))"
"$plugin" simulate -f "$dir/app.yaml" --trace "$dir/spike.csv" --trace "$dir/spike.csv" --format json >"$dir/two.json"
python_agrees "two traces give an array" "$dir/two.json" "len(report) == 2 and report[0] == report[1]"
"$plugin" simulate -f - --trace "$dir/spike.csv" --format json <"$dir/app.yaml" >"$dir/stdin.json"
python_agrees "a manifest may come from standard input" "$dir/stdin.json" "len(report['policies']) == 1"
for kind in png html; do
  "$plugin" simulate -f "$dir/app.yaml" --trace "$dir/spike.csv" --plot "$dir/a.$kind" >/dev/null
done
succeeds "a .png is one" bash -c 'head -c 4 "$1" | grep -q PNG' - "$dir/a.png"
succeeds "a .html holds the picture and the table" bash -c 'grep -q "<svg" "$1" && grep -q REPLICA-SECONDS "$1"' - "$dir/a.html"

"$plugin" tune -f "$dir/app.yaml" --trace "$dir/spike.csv" --evaluations 12 --format json --output "$dir/tuned.yaml" >"$dir/tune.json"
python_agrees "tune shows a front and a proposal within its budget" "$dir/tune.json" \
  "report['front'] and report['proposed']['settings'] and report['evaluations'] <= 12"
succeeds "tune keeps the manifest's comments" grep -q "# What the shop's front needs." "$dir/tuned.yaml"
succeeds "and what it proposes can be simulated" "$plugin" simulate -f "$dir/tuned.yaml" --trace "$dir/spike.csv"

cat >"$dir/case.json" <<'JSON'
{"time":"2026-01-31T12:00:00.000000Z","namespace":"shop","name":"web","generation":3,
 "input":{"observation":{"currentReplicas":3,"readings":[{"name":"latency","value":0.5}]},"history":{}}}
JSON
succeeds "a case written by hand is decided" "$plugin" decide -f "$dir/app.yaml" --observation "$dir/case.json"
"$plugin" decide -f "$dir/app.yaml" --observation "$dir/case.json" >"$dir/record.json"
"$plugin" decide -f "$dir/app.yaml" --observation "$dir/record.json" >"$dir/again.json" 2>"$dir/again.err"
succeeds "a record is decided again to the same bytes" cmp "$dir/record.json" "$dir/again.json"
succeeds "without a warning" cmp /dev/null "$dir/again.err"
jobs='import json, sys; r = json.load(open(sys.argv[1])); print(json.dumps([r, r]))'
python3 -c "$jobs" "$dir/record.json" >"$dir/records.json"
succeeds "an array gives a line for each record" \
  bash -c '[ "$("$1" decide -f "$2" --observation "$3" | wc -l)" = 2 ]' - "$plugin" "$dir/app.yaml" "$dir/records.json"
says "a record that is none is named" 1 "spike.csv: must be a JSON object" decide -f "$dir/app.yaml" --observation "$dir/spike.csv"
echo '[]' >"$dir/none.json"
says "no record at all is an error" 1 "no record in $dir/none.json" decide -f "$dir/app.yaml" --observation "$dir/none.json"
sed 's/"value"/"lateny":1,&/' "$dir/case.json" >"$dir/unknown.json"
says "a member of a record that nobody reads is refused" 1 \
  "unknown.json: record: input.observation.readings[0].lateny: unknown member" \
  decide -f "$dir/app.yaml" --observation "$dir/unknown.json"
sed -n '/^```json$/,/^```$/p' docs/plugin.md | sed '/^```/d' >"$dir/documented.json"
"$plugin" decide -f examples/web.yaml --observation "$dir/documented.json" >"$dir/decided.json"
python_agrees "the record that docs/plugin.md shows is decided as it says" "$dir/decided.json" \
  "report['message'].startswith('3 -> 7: ') and '\`' + report['message'] + '\`' in open('docs/plugin.md').read()"
printf 'seconds,requests_per_second\n0,40\n' >"$dir/row.csv"
"$plugin" simulate -f "$dir/app.yaml" --trace "$dir/row.csv" --initial-replicas 2 --format json >"$dir/row.json"
python_agrees "a trace of one row plays 600 s" "$dir/row.json" "report['policies'][0]['replicaSeconds'] >= 1200"
says "and the help says so" 0 "one that is alone for 600 s" simulate --help
exit "$failed"
