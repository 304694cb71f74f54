#!/usr/bin/env bash
# The commands that steer an app, on a real API server: each edits what it says, and nothing else. No operator runs;
# the status, the ReplicaSets and a pod are written by hand. Needs KUBECONFIG.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
plugin=$PWD/build/release/bin/kubectl-scalableapp
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

check() { # NAME HAYSTACK NEEDLE
  [[ "$2" == *"$3"* ]]
  verdict "$1" $? "wanted [$3], got [$2]"
}
app() { # COMMAND...
  "$plugin" "$@" -n steering 2>&1
}
field() { # JSONPATH
  kubectl -n steering get scalableapp web --show-managed-fields -o "jsonpath={$1}"
}
set_status() { # JSON: of status.rollout and of the status around it
  kubectl -n steering patch scalableapp web --subresource=status --type=merge -p \
    "{\"status\":{\"observedGeneration\":$(field .metadata.generation),\"currentRevision\":\"old\",\"updatedRevision\":\"new\",\"rollout\":$1}}" >/dev/null
}

kubectl apply -f crds/ >/dev/null
kubectl wait --for=condition=Established crd/scalableapps.scalableapp.io --timeout=30s >/dev/null
kubectl create namespace steering >/dev/null
kubectl -n steering create -f - >/dev/null <<'YAML'
apiVersion: scalableapp.io/v1alpha1
kind: ScalableApp
metadata: {name: web}
spec:
  replicas: {min: 2, max: 10}
  rollout: {strategy: Canary, canary: {steps: [{setWeight: 20}, {pause: {}}, {setWeight: 50}]}}
  template: {spec: {containers: [{name: web, image: "web:2", env: [{name: NEW, value: "yes"}]}]}}
YAML
# As the operator makes them; the server adds its defaults to the templates.
python3 - "$(field .metadata.uid)" >"$dir/replica-sets.json" <<'PYTHON'
import json, sys

def hash_of(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"

def replica_set(revision, number, container):
    template = {"spec": {"containers": [container]}}
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    labels = {"scalableapp.io/name": "web", "scalableapp.io/revision": revision}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": f"web-{revision}", "labels": labels,
                         "annotations": {"scalableapp.io/template-hash": hash_of(text), "scalableapp.io/template": text,
                                         "scalableapp.io/revision-number": str(number),
                                         "kubernetes.io/change-cause": container["image"]},
                         "ownerReferences": [{"apiVersion": "scalableapp.io/v1alpha1", "kind": "ScalableApp", "name": "web",
                                              "uid": sys.argv[1], "controller": True}]},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels},
                                  "spec": {**template["spec"], "readinessGates": [{"conditionType": "scalableapp.io/warm"}]}}}}

print(json.dumps({"apiVersion": "v1", "kind": "List", "items": [
    replica_set("old", 1, {"name": "web", "image": "web:1"}),
    replica_set("new", 2, {"name": "web", "image": "web:2", "env": [{"name": "NEW", "value": "yes"}]})]}))
PYTHON
kubectl -n steering create -f "$dir/replica-sets.json" >/dev/null
kubectl -n steering create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: web-old-x
  labels: {scalableapp.io/name: web, scalableapp.io/revision: old}
  ownerReferences:
  - {apiVersion: apps/v1, kind: ReplicaSet, name: web-old, uid: $(kubectl -n steering get rs web-old -o 'jsonpath={.metadata.uid}'), controller: true}
spec: {containers: [{name: web, image: "web:1"}], readinessGates: [{conditionType: scalableapp.io/warm}]}
YAML
paused='{"phase":"Paused","revision":"new","step":1,"weight":20,"message":"waits to be promoted"}'
degraded='{"phase":"Degraded","revision":"new","step":1,"failureReason":"Aborted","failureMessage":"by a person","failedAt":"2027-01-15T08:00:00.000000Z"}'
healthy='{"phase":"Healthy","revision":"new","step":3,"failureReason":null}'

set_status "$paused"
shown=$(app status web | tr -s ' ')
check "status shows where the rollout is" "$shown" "Step: 2 of 3: pause until promoted"
check "with its revisions" "$shown" "web-new ◌ canary 0/1"
check "and their pods" "$shown" "web-old-x ◌ pending closed"
check "status as JSON is for machines" "$(app status web -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revisions"][1]["pods"][0]["gate"]["state"])')" closed
check "status --wait ends when its time is over" "$(app status web --wait --timeout 10ms; echo "rc=$?")" "rc=1"
check "history lists both" "$(app history web | sed 's/ 20[^ ]*Z / /' | tr -s ' ')" "1 web-old 1 stable web:1"
check "history shows a template as the app had it" "$(app history web --revision 1 | tr -d ' \n')" '{"spec":{"containers":[{"image":"web:1","name":"web"}]}}'

check "a dry run prints the patch" "$(app promote web --dry-run=client)" '"scalableapp.io/promote": "new/1"'
check "and writes nothing" "promote=$(field '.metadata.annotations.scalableapp\.io/promote')." "promote=."
check "promote says what kubectl says" "$(app promote web)" "scalableapp.scalableapp.io/web promoted"
check "promote names revision and step" "$(field '.metadata.annotations.scalableapp\.io/promote')" new/1
app promote web --full >/dev/null
check "promote --full names all steps" "$(field '.metadata.annotations.scalableapp\.io/promote')" new/full
check "writes are the plugin's own" "$(field '.metadata.managedFields[*].manager}')" kubectl-scalableapp
check "abort says so" "$(app abort web)" "web aborted"
check "abort names the revision" "$(field '.metadata.annotations.scalableapp\.io/abort')" new
set_status "$degraded"
check "what has failed cannot be promoted" "$(app promote web)" "nothing to promote: revision new has failed: Aborted: by a person"
check "status --wait fails with why" "$(app status web --wait; echo "rc=$?")" "error: revision new failed: Aborted: by a person
rc=1"
check "retry says so" "$(app retry web)" "web is tried again"
check "retry is later than the failure" "$(field '.metadata.annotations.scalableapp\.io/retry')" "new 2027-01-15T08:00:00.001000Z"
check "and takes the abort back" "abort=$(field '.metadata.annotations.scalableapp\.io/abort')." "abort=."

check "pause says so" "$(app pause web)" "scalableapp.scalableapp.io/web paused"
check "pause sets the field" "$(field .spec.rollout.paused)" true
check "a paused one is not paused again" "$(app pause web; echo "rc=$?")" 'error: scalableapps.scalableapp.io "web" is already paused
rc=1'
check "resume says so" "$(app resume web)" "scalableapp.scalableapp.io/web resumed"
check "resume takes it back" "$(field .spec.rollout.paused)" false

check "scale holds for a while" "$(app scale web --hold 8 --for 30m)" "held at 8 until 20"
check "scale sets both fields" "$(field .spec.replicas.override) $(field .spec.replicas.overrideUntil)" "8 20"
app scale web --hold 3 --for 0 >/dev/null
check "or for good" "$(field .spec.replicas.override) until=$(field .spec.replicas.overrideUntil)." "3 until=."
check "not beyond the bounds" "$(app scale web --hold 11)" "--hold=11: must be from spec.replicas.min to spec.replicas.max, 2 to 10"
check "scale releases" "$(app scale web --release)" "web released"
check "release removes what holds" "override=$(field .spec.replicas.override | tr -d 0)." "override=."

check "expect says so" "$(app expect web 200% --for 30m)" "web expects 200% until 20"
check "and sets the annotation" "$(field '.metadata.annotations.scalableapp\.io/expect-load')" "200% until 20"
check "a count as well" "$(app expect web 8; field '.metadata.annotations.scalableapp\.io/expect-load')" "8 replicas until 20"
check "but not over the maximum" "$(app expect web 11)" "AMOUNT 11: must be at most spec.replicas.max, 10"
check "who waits is told how far it is" "$(app expect web 8 --wait --timeout 10ms; echo "rc=$?")" "not ready after 10ms: the operator has not seen it yet
rc=1"
asked=$(field '.metadata.annotations.scalableapp\.io/expect-load')
kubectl -n steering patch scalableapp web --subresource=status --type=merge \
  -p "{\"status\":{\"readyReplicas\":8,\"history\":{\"expectedLoad\":{\"asked\":\"$asked\",\"replicas\":8,\"needed\":2}}}}" >/dev/null
check "the wait's line is what the status tells" "$(app status web)" "8 ready"
check "expect is taken back" "$(app expect web --clear)" "web expects no load any more"
check "and the annotation is gone" "expect=$(field '.metadata.annotations.scalableapp\.io/expect-load')." "expect=."
check "there is nothing to take back twice" "$(app expect web --clear; echo "rc=$?")" "rc=1"

check "restart says so" "$(app restart web)" "scalableapp.scalableapp.io/web restarted"
check "restart changes the template" "$(field '.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt')" 20
set_status "$healthy"
"$plugin" undo web -n steering --dry-run >"$dir/undo.json" 2>/dev/null
kubectl -n steering label scalableapp web changed=meanwhile >/dev/null
check "undo's patch does not meet a changed app" "$(kubectl -n steering patch scalableapp web --type=json -p "$(cat "$dir/undo.json")" 2>&1)" "the object has been modified"
check "undo says where it goes" "$(app undo web)" "scalableapp.scalableapp.io/web rolled back to revision 1"
check "undo replaces the whole template" "$(field .spec.template)" '{"spec":{"containers":[{"image":"web:1","name":"web"}]}}'
check "undo to what is there is skipped" "$(app undo web --to-revision 1)" "skipped rollback (current template already matches revision 1)"
check "a revision that is not there is named" "$(app undo web --to-revision 9)" "there is no revision 9; there are: 2, 1"

# A user who may look at apps and nothing else.
kubectl -n steering create serviceaccount viewer >/dev/null
kubectl -n steering create role viewer --verb=get --resource=scalableapps.scalableapp.io >/dev/null
kubectl -n steering create rolebinding viewer --role=viewer --serviceaccount=steering:viewer >/dev/null
cp "$KUBECONFIG" "$dir/viewer.yaml"
export KUBECONFIG=$dir/viewer.yaml
kubectl config set-credentials viewer --token="$(kubectl -n steering create token viewer)" >/dev/null
kubectl config set-context --current --user=viewer >/dev/null
check "who may not change an app is told so" "$(app pause web; echo "rc=$?")" 'cannot patch resource "scalableapps" in API group "scalableapp.io" in the namespace "steering"'
check "who may not list ReplicaSets is shown the rest" "$(app status web)" "revisions and pods are not shown: GET replicasets steering: replicasets.apps is forbidden"
check "but not the history" "$(app history web; echo "rc=$?")" 'cannot list resource "replicasets"'
exit "$failed"
