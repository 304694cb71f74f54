#!/usr/bin/env bash
# The charts: helm lint passes, a real API server takes every object they make, and wrong values are refused by name.
# Needs KUBECONFIG and helm.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh

says() { # NAME NEEDLE COMMAND...: the command fails, with NEEDLE in what it prints
  local name=$1 needle=$2 output
  shift 2
  if output=$("$@" 2>&1); then
    verdict "$name" 1 "it succeeded: $output"
  else
    grep -qE -- "$needle" <<<"$output"
    verdict "$name" $? "wanted [$needle], got: $output"
  fi
}
objects_are_taken() { # CHART [helm flags...]
  local chart=$1
  shift
  render "$chart" "$@" | kubectl apply --dry-run=server -f -
}
render() { # CHART [helm flags...]
  local chart=$1
  shift
  helm template release "charts/$chart" --namespace default --kube-version 1.34.0 "$@"
}

kubectl create namespace shop >/dev/null 2>&1
for chart in operator workload monitoring; do
  succeeds "helm lint charts/$chart passes" helm lint --strict --quiet "charts/$chart"
  succeeds "the API server takes what charts/$chart makes" objects_are_taken "$chart"
done
succeeds "the API server takes the operator for one namespace, with a NetworkPolicy" objects_are_taken operator \
  --set watchNamespace=shop,networkPolicy.enabled=true,podDisruptionBudget.enabled=false
succeeds "a ServiceMonitor is made where asked for" \
  grep -q 'kind: ServiceMonitor' <(render operator --set serviceMonitor.enabled=true)
says "no replicas is refused" "replicas" render operator --set replicas=0
says "a Prometheus without a scheme is refused" "prometheus.*url|url.*pattern" \
  render operator --set prometheus.url=prometheus:9090
says "a misspelt value is refused" "promtheus" render operator --set promtheus.url=http://x
succeeds "one namespace needs no right over the cluster" \
  test -z "$(render operator --set watchNamespace=shop,crd.install=false,nodes.watch=false | grep 'kind: ClusterRole')"
succeeds "with nodes.watch it may watch nodes, and do nothing else over the cluster" test nodes = \
  "$(render operator --set watchNamespace=shop | grep -A10 '^kind: ClusterRole$' | sed -n 's/.*resources: \[\(.*\)\]/\1/p')"
succeeds "the stand-in for an absent operator may only read the lease and pods, and patch their status" \
  test "$(render operator --set watchNamespace=shop -s templates/fail-open.yaml | grep 'verbs:' | tr -d ' \n')" = \
  "verbs:[list,watch]verbs:[patch]verbs:[get]"
succeeds "it can be left out" \
  test -z "$(render operator --set failOpen.enabled=false | grep 'name: .*fail-open')"
succeeds "its pods are not the operator's: only what keeps it off their nodes names those" \
  test 1 = "$(render operator -s templates/fail-open.yaml | grep -c 'app.kubernetes.io/name: scalableapp-operator$')"
exit $failed
