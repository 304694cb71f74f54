#!/usr/bin/env bash
# The CRD on a real API server: good manifests go in and get their defaults, each mistake gets its own message,
# and kubectl scale works. Needs KUBECONFIG.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
check() { # NAME HAYSTACK NEEDLE
  if grep -qF -- "$3" <<<"$2"; then echo "ok $1"; else echo "not ok $1: wanted [$3], got [$2]"; failed=1; fi
}
check "the CRD is accepted" "$(kubectl apply -f crds/ 2>&1)" scalableapps.scalableapp.io
kubectl wait --for=condition=Established crd/scalableapps.scalableapp.io --timeout=30s >/dev/null
kubectl create namespace crd-test >/dev/null 2>&1
for file in examples/*.yaml; do
  check "$file is accepted" "$(kubectl -n crd-test apply -f "$file" 2>&1)" scalableapp.scalableapp.io/
done
for file in tests/manifests/valid/*.yaml; do
  check "$(basename "$file" .yaml) is accepted" "$(kubectl -n crd-test apply --dry-run=server -f "$file" 2>&1)" created
done
for file in tests/manifests/invalid/*.yaml; do
  check "$(basename "$file" .yaml) is refused with its message" "$(kubectl -n crd-test apply -f "$file" 2>&1)" "$(sed -n '1s/^# expect: //p' "$file")"
done
check "defaults are filled in" "$(kubectl -n crd-test get sapp worker -o jsonpath='{.spec.behavior.scaleUp.policies[0].value} {.spec.rollout.maxSurge} {.spec.intervalSeconds}')" "100 25% 2"
check "and those of a rollout" "$(kubectl -n crd-test get sapp worker -o jsonpath='{.spec.rollout.strategy} {.spec.rollout.rollback} {.spec.disruptionBudget}')" "Rolling Automatic Managed"
kubectl -n crd-test patch sapp worker --type=merge -p '{"spec":{"rollout":{"analysis":{}},"readiness":{"slowStart":{}}}}' >/dev/null
check "an empty analysis is one of three metrics" "$(kubectl -n crd-test get sapp worker -o jsonpath='{.spec.rollout.analysis.metrics[*].type} {.spec.rollout.analysis.minRequests}')" "ErrorRate Latency Restarts 100"
check "an empty slow start is on" "$(kubectl -n crd-test get sapp worker -o jsonpath='{.spec.readiness.slowStart}')" '{"intervalSeconds":10,"maxPercent":25}'
check "kubectl scale sets the override" "$(kubectl -n crd-test scale scalableapp/web --replicas=4 2>&1; kubectl -n crd-test get sapp web -o jsonpath='{.spec.replicas.override}')" 4
check "the scale of an app without an override is 0" "$(kubectl get --raw /apis/scalableapp.io/v1alpha1/namespaces/crd-test/scalableapps/worker/scale 2>&1 | tr -d ' ' | grep -o '"spec":{[^}]*}')" '"spec":{'
check "kubectl scale to 0 removes the override" "$(kubectl -n crd-test scale scalableapp/web --replicas=0 2>&1; kubectl -n crd-test get sapp web -o jsonpath='override={.spec.replicas.override}')" override=0
check "kubectl scale beyond max is refused" "$(kubectl -n crd-test scale scalableapp/web --replicas=40 2>&1)" "must be from replicas.min to replicas.max"
learned='"provenRate":12345.678901234567,"trialSince":"2026-01-31T12:00:00.001000Z"'
check "what was learned is kept to the last digit" "$(kubectl -n crd-test patch sapp web --subresource=status --type=merge -p '{"status":{"history":{"metrics":[{"name":"latency",'"$learned"'}]}}}' >/dev/null; kubectl get --raw /apis/scalableapp.io/v1alpha1/namespaces/crd-test/scalableapps/web)" "$learned"
measured='"bounds":[0.005,0.30000000000000004],"measuredAt":"2026-01-31T12:00:00.001000Z","updated":{"buckets":[0,213.5,0],"busySeconds":0.3333333333333333}'
check "what was measured of a rollout too" "$(kubectl -n crd-test patch sapp web --subresource=status --type=merge -p '{"status":{"rollout":{"phase":"Paused","weight":25,"analysis":{'"$measured"'}}}}' >/dev/null; kubectl get --raw /apis/scalableapp.io/v1alpha1/namespaces/crd-test/scalableapps/web)" "$measured"
check "columns are printed" "$(kubectl -n crd-test get sapp)" "MIN   MAX   DESIRED"
check "the phase and the weight of a rollout among them" "$(kubectl -n crd-test get sapp web -o wide | tr -s ' ')" "PHASE WEIGHT DEGRADE REASON"
check "as the status has them" "$(kubectl -n crd-test get sapp web -o wide | tr -s ' ')" "Paused 25"
check "every field is described" "$(kubectl explain scalableapp.spec.behavior.scaleUp.policies 2>&1)" "How much may change in a period"
exit $failed
