#!/usr/bin/env bash
# adopt and release on a real API server, with Kubernetes' own controllers, simulated nodes and the operator: no pod is
# restarted, whatever step they break off at. Needs KUBECONFIG of scripts/apiserver run --with-kwok, and the build.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
plugin=$PWD/build/release/bin/kubectl-scalableapp
dir=$(mktemp -d)
trap 'kill "$operator" 2>/dev/null; rm -rf "$dir"' EXIT
operator=

k() { kubectl -n shop "$@"; }
adopt_tool() { "$plugin" "$@" -n shop; }
within() { # SECONDS COMMAND...: until it succeeds
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { "$@"; return 1; }
    sleep 0.3
  done
}
is() { # WANTED COMMAND...: prints exactly that
  local wanted=$1 got
  shift
  got=$("$@" 2>&1)
  [ "$got" = "$wanted" ] || { echo "wanted [$wanted], got [$got]"; return 1; }
}
says() { # NAME EXIT-CODE TEXT COMMAND...
  local name=$1 code=$2 text=$3 output rc=0
  shift 3
  output=$("$@" 2>&1) || rc=$?
  [ "$rc" = "$code" ] && grep -qF -- "$text" <<<"$output"
  verdict "$name" $? "wanted $code and [$text], got $rc and: $output"
}
# names, uids, restarts and ends of all pods of an app, by a label that its own template has
pods() {
  k get pods -l "app=$1" -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount} {.metadata.deletionTimestamp}{"\n"}{end}' | sort
}
ready_since() {
  k get pods -l "app=$1" -o jsonpath='{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastTransitionTime}{"\n"}{end}' | sort
}
remember() { # APP
  within 30 k wait pod -l "app=$1" --for=condition=Ready --timeout=30s
  pods "$1" >"$dir/$1"
  ready_since "$1" >"$dir/$1.ready"
}
untouched() { # NAME APP: as they were when remembered
  succeeds "$1: the pods are the same" diff "$dir/$2" <(pods "$2")
  succeeds "$1: and were Ready all the time" diff "$dir/$2.ready" <(ready_since "$2")
}
field() { if [ -n "$2" ]; then k get "$1" "$2" -o jsonpath="$3"; else k get "$1" -o jsonpath="$3"; fi; }
rolled_out() { [ -n "$(field sapp "$1" '{.status.currentRevision}')" ] && is "$(field sapp "$1" '{.status.updatedRevision}')" field sapp "$1" '{.status.currentRevision}'; }
start_operator() {
  build/release/bin/scalableapp-operator --prometheus-url=http://127.0.0.1:1 --http-port=0 --leader-elect=false \
    >"$dir/operator.log" 2>&1 &
  operator=$!
}

# A user with the rights that are named, one more each time.
rights=()
may() { # VERB RESOURCE[.GROUP]
  rights+=("$2" "$1")
  local i rules=
  for ((i = 0; i < ${#rights[@]}; i += 2)); do
    local resource=${rights[i]%%.*} group=
    case ${rights[i]} in *.*) group=${rights[i]#*.} ;; esac
    rules+=$(printf '\n- {apiGroups: ["%s"], resources: ["%s"], verbs: ["%s"]}' "$group" "$resource" "${rights[i + 1]}")
  done
  k apply -f - >/dev/null <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: limited}
rules:$rules
YAML
  within 10 k auth can-i "$1" "$2" --as system:serviceaccount:shop:limited
}
may_look() {
  rights=()
  for resource in deployments.apps replicasets.apps pods services horizontalpodautoscalers.autoscaling \
    poddisruptionbudgets.policy scalableapps.scalableapp.io; do
    may get "$resource"
    may list "$resource"
  done
}
as_limited() { KUBECONFIG=$dir/limited "$plugin" "$@" -n shop; }

kubectl apply -f crds/ >/dev/null
kubectl wait --for=condition=Established crd/scalableapps.scalableapp.io --timeout=30s >/dev/null
kubectl create namespace shop >/dev/null
within 30 k get serviceaccount default
k create serviceaccount limited >/dev/null
k create rolebinding limited --role=limited --serviceaccount=shop:limited >/dev/null
cp "$KUBECONFIG" "$dir/limited"
kubectl --kubeconfig "$dir/limited" config set-credentials limited --token="$(k create token limited --duration=2h)" >/dev/null
kubectl --kubeconfig "$dir/limited" config set-context --current --user=limited >/dev/null

k apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {team: front}, annotations: {owner: ann}}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: web, image: "web:1", resources: {requests: {cpu: 100m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web-hpa}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 3
  maxReplicas: 30
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
YAML
k rollout status deployment web --timeout=60s >/dev/null
k set image deployment web web=web:2 >/dev/null
k rollout status deployment web --timeout=60s >/dev/null
within 30 is 5 bash -c 'kubectl -n shop get pods -l app=web --no-headers | wc -l'
remember web
autoscaler=$(field hpa web-hpa '{.spec}')

# --- what it would do, and what it refuses -----------------------------------------------------------------------
adopt_tool adopt web --dry-run >"$dir/web.yaml" 2>"$dir/warnings"
succeeds "the manifest of a dry run is taken by the API server" k apply --dry-run=server -f "$dir/web.yaml"
succeeds "its warnings go elsewhere" grep -q "PodDisruptionBudget web is of these pods" "$dir/warnings"
succeeds "and nothing is changed" is "" k get sapp -o name
says "a Deployment that is not there is named" 1 "no Deployment nope in namespace shop" adopt_tool adopt nope
k rollout pause deployment web >/dev/null
k set image deployment web web=web:3 >/dev/null
within 10 is "$(field deployment web '{.metadata.generation}')" field deployment web '{.status.observedGeneration}'
says "a Deployment in the middle of a rollout is refused" 1 "not at rest: no ReplicaSet has its template yet" adopt_tool adopt web
k set image deployment web web=web:2 >/dev/null
k rollout resume deployment web >/dev/null
k rollout status deployment web --timeout=60s >/dev/null
untouched "before" web

# --- adopt, one step at a time -----------------------------------------------------------------------------------
says "without an operator nothing is lost" 1 "is one running that serves this namespace?" adopt_tool adopt web
succeeds "the Deployment is still there" k get deployment web
succeeds "so is its autoscaler" k get hpa web-hpa
start_operator
may_look
says "who may not delete an autoscaler is told" 1 "horizontalpodautoscalers" as_limited adopt web
may delete horizontalpodautoscalers.autoscaling
says "who may not delete a Deployment is told" 1 "deployments.apps" as_limited adopt web
succeeds "the autoscaler is gone and remembered" grep -q averageUtilization <(field sapp web '{.metadata.annotations.scalableapp\.io/adopted-hpa}')
may delete deployments.apps
says "who may not patch a ReplicaSet is told" 1 "replicasets.apps" as_limited adopt web
succeeds "the Deployment is gone" is "" k get deployment -o name
untouched "without an owner" web
may patch replicasets.apps
says "who may not patch a pod is told" 1 'resource "pods"' as_limited adopt web
untouched "with the ReplicaSets taken over" web
may patch pods
says "who may not unpause is told" 1 "scalableapps.scalableapp.io" as_limited adopt web
succeeds "the operator counts all pods by now" is "5 5" field sapp web '{.status.replicas} {.status.desiredReplicas}'
may patch scalableapps.scalableapp.io
says "and in the end it is adopted" 0 "ScalableApp web unpaused" as_limited adopt web
says "once more changes nothing" 0 "has been adopted already" as_limited adopt web
succeeds "its revision is rolled out" within 30 rolled_out web
sleep 5
untouched "adopted" web
succeeds "nothing was created" is 2 bash -c 'kubectl -n shop get rs -l app=web --no-headers | wc -l'
succeeds "each ReplicaSet is the app's" is "ScalableApp ScalableApp" field rs "" '{.items[*].metadata.ownerReferences[*].kind}'
succeeds "and has a revision" is 2 bash -c 'kubectl -n shop get rs -l scalableapp.io/revision --no-headers | wc -l'

# --- it is a ScalableApp now -------------------------------------------------------------------------------------
k scale scalableapp/web --replicas=6 >/dev/null
within 20 is 6 bash -c 'kubectl -n shop get pods -l scalableapp.io/name=web --no-headers | wc -l'
succeeds "a new pod has the gate, and gets Ready" k wait pod -l app=web --for=condition=Ready --timeout=30s
succeeds "one pod has it" is 1 bash -c "kubectl -n shop get pods -l app=web -o jsonpath='{.items[*].spec.readinessGates[*].conditionType}' | wc -w"
succeeds "the others are the same" is 5 bash -c "kubectl -n shop get pods -l app=web -o jsonpath='{range .items[*]}{.metadata.uid}{\"\n\"}{end}' | grep -cFf <(cut -d' ' -f2 $dir/web)"
remember web

# --- release, one step at a time ---------------------------------------------------------------------------------
may_look
says "who may not pause is told" 1 "scalableapps.scalableapp.io" as_limited release web
may patch scalableapps.scalableapp.io
says "who may not patch a ReplicaSet is told by release too" 1 "replicasets.apps" as_limited release web
may patch replicasets.apps
says "who may not create a Deployment is told" 1 "deployments.apps" as_limited release web
may create deployments.apps
says "who may not delete a ScalableApp is told" 1 "scalableapps.scalableapp.io" as_limited release web
untouched "with both of them there" web
may delete scalableapps.scalableapp.io
says "who may not create an autoscaler is told" 1 "horizontalpodautoscalers" as_limited release web
succeeds "the ScalableApp is gone" is "" k get sapp -o name
untouched "with the Deployment paused" web
may create horizontalpodautoscalers.autoscaling
says "who may not patch a pod is told by release too" 1 'resource "pods"' as_limited release web
may patch pods
says "who may not unpause a Deployment is told" 1 "deployments.apps" as_limited release web
may patch deployments.apps
says "and in the end it is released" 0 "Deployment web unpaused" as_limited release web
succeeds "the Deployment is rolled out" k rollout status deployment web --timeout=30s
sleep 5
untouched "released" web
succeeds "its autoscaler is as it was" is "$autoscaler" field hpa web-hpa '{.spec}'
succeeds "its selector too" is '{"app":"web"}' field deployment web '{.spec.selector.matchLabels}'
succeeds "and its own labels and annotations" is "front ann" field deployment web '{.metadata.labels.team} {.metadata.annotations.owner}'
succeeds "no ReplicaSet was made" is 2 bash -c 'kubectl -n shop get rs -l app=web --no-headers | wc -l'
succeeds "nothing of the operator's is left but a gate that is open" is 1 \
  bash -c 'kubectl -n shop get deployment,rs,pods -l app=web -o json | grep -c "conditionType.*scalableapp.io"'
succeeds "no label of it is left" is "" k get deployment,rs,pods -l scalableapp.io/name -o name
says "what is no ScalableApp any more is told" 1 "there is a Deployment of that name" adopt_tool release web

# --- there and back over a rollout -------------------------------------------------------------------------------
says "it can be adopted again" 0 "ScalableApp web unpaused" adopt_tool adopt web
within 30 rolled_out web
untouched "adopted again" web
says "it can be taken back to a revision of its Deployment" 0 "rolled back to revision" adopt_tool undo web
succeeds "an older template is found in an older ReplicaSet" within 90 bash -c '[ "$(kubectl -n shop get pods -l app=web -o jsonpath="{.items[*].spec.containers[0].image}" | tr " " "\n" | sort | uniq -c | tr -s " ")" = " 6 web:1" ]'
succeeds "and none is made for it" is 2 bash -c 'kubectl -n shop get rs -l app=web --no-headers | wc -l'
k create service clusterip web-main --tcp=80 >/dev/null
k patch service web-main --type=json -p '[{"op":"replace","path":"/spec/selector","value":{"scalableapp.io/name":"web"}}]' >/dev/null
k patch sapp web --type=merge -p '{"spec":{"rollout":{"strategy":"BlueGreen","maxSurge":null,"maxUnavailable":null,
  "blueGreen":{"activeService":"web-main","scaleDownDelaySeconds":1}}}}' >/dev/null
k patch sapp web --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"web:4"}]' >/dev/null
within 10 is 3 bash -c 'kubectl -n shop get rs -l app=web --no-headers | wc -l'
says "in a rollout nothing is released" 1 "ed out" adopt_tool release web
within 120 bash -c '[ "$(kubectl -n shop get pods -l app=web -o jsonpath="{.items[*].spec.containers[0].image}" | tr " " "\n" | sort | uniq -c | tr -s " ")" = " 6 web:4" ]'
within 30 rolled_out web
within 30 is 6 bash -c 'kubectl -n shop get pods -l app=web --no-headers | wc -l'
remember web
succeeds "its Service selects one revision" within 10 bash -c "kubectl -n shop get service web-main -o jsonpath='{.spec.selector}' | grep -q revision"
says "with a revision that the operator made it is released" 0 "Deployment web unpaused" adopt_tool release web
succeeds "the Deployment of it is rolled out" k rollout status deployment web --timeout=30s
sleep 5
untouched "released with another revision" web
succeeds "its Service selects any revision" is '{"scalableapp.io/name":"web"}' field service web-main '{.spec.selector}'
succeeds "the older ReplicaSets are the Deployment's" is "Deployment Deployment Deployment" field rs "" '{.items[*].metadata.ownerReferences[*].kind}'
k rollout undo deployment web >/dev/null
succeeds "and it can go back to them" k rollout status deployment web --timeout=90s
succeeds "its Service has the pods of that" within 20 is 6 bash -c "kubectl -n shop get endpointslice -l kubernetes.io/service-name=web-main -o jsonpath='{.items[*].endpoints[?(@.conditions.ready==true)].targetRef.name}' | wc -w"
k delete service web-main >/dev/null
k delete hpa,deployment,pdb --all >/dev/null

# --- born as a ScalableApp ---------------------------------------------------------------------------------------
k apply -f - >/dev/null <<'YAML'
apiVersion: scalableapp.io/v1alpha1
kind: ScalableApp
metadata: {name: api}
spec:
  replicas: {min: 3, max: 9}
  metrics: [{name: cpu, type: CPU, cpu: {targetUtilization: 60}}]
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "api:1", resources: {requests: {cpu: 100m}}}]}
YAML
within 60 rolled_out api
k patch sapp api --type=merge -p '{"spec":{"readiness":{"minWarmSeconds":3600}}}' >/dev/null
k scale scalableapp/api --replicas=4 >/dev/null
within 20 is 4 bash -c 'kubectl -n shop get pods -l app=api --no-headers | wc -l'
timeout 4 "$plugin" release api -n shop >"$dir/out" 2>&1
succeeds "while a pod warms up, release waits" test $? = 124
succeeds "and has begun nothing" is "false" field sapp api '{.spec.paused}{.metadata.annotations.scalableapp\.io/releasing}'
pods api >"$dir/api"
says "with --force it is released" 0 "readiness gate of pod" adopt_tool release api --force
succeeds "born and released: the pods are the same" diff "$dir/api" <(pods api)
succeeds "and all of them are Ready" k wait pod -l app=api --for=condition=Ready --timeout=20s
succeeds "the operator's budget is gone" is "" k get pdb -o name
succeeds "the Deployment of what was born so is rolled out" k rollout status deployment api --timeout=30s
k set image deployment api api=api:2 >/dev/null
succeeds "and rolls out another image" k rollout status deployment api --timeout=90s
within 30 is "4" bash -c 'kubectl -n shop get pods -l app=api --no-headers | wc -l'
succeeds "of which there are as many pods as before" is "api:2 api:2 api:2 api:2" field pods "" '{.items[*].spec.containers[0].image}'

# --- in the middle of a rollout ----------------------------------------------------------------------------------
k create deployment slow --image=slow:1 --replicas=3 >/dev/null
k rollout status deployment slow --timeout=30s >/dev/null
k rollout pause deployment slow >/dev/null
k set image deployment slow slow=slow:2 >/dev/null
remember slow
says "with --force a rollout is taken over as it is" 0 "ScalableApp slow unpaused" adopt_tool adopt slow --force
sleep 3
untouched "with its rollout paused" slow
says "and goes on" 0 "" k patch sapp slow --type=merge -p '{"spec":{"rollout":{"paused":false}}}'
succeeds "to its end" within 60 bash -c '[ "$(kubectl -n shop get pods -l app=slow -o jsonpath="{.items[*].spec.containers[0].image}")" = "slow:2 slow:2 slow:2" ]'
kill "$operator"
exit $failed
