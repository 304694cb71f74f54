#!/usr/bin/env bash
# A kind cluster of two nodes of its own: pods of either node reach pods, Services and DNS from the other, a node can be
# drained, and both come back after a restart of their containers. About 90 s. By hand: ./test does not run it.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../../scripts/lib/stack.sh
. scripts/lib/stack.sh
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
set +e
cluster=${1:-scalableapp-nodes}
worker=$cluster-worker first=$cluster-control-plane
trap 'cluster_down "$cluster" >&2' EXIT

ensure_kubectl
build_project release demo-workload
cluster_up "$cluster" 2
KUBECONFIG=$(cluster_kubeconfig "$cluster")
export KUBECONFIG
tag=$(content_tag "$root/build/release/bin/demo-workload")
image_from_binary "$workload_image:$tag" "$root/build/release/bin/demo-workload"
cluster_load "$cluster" "$workload_image:$tag"

pod() { # NAME NODE ARGUMENTS...
  local name=$1 node=$2
  shift 2
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $name, labels: {app: $name, network: test}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  nodeSelector: {kubernetes.io/hostname: $node}
  containers:
  - name: main
    image: $workload_image:$tag
    args: [$(printf '"%s",' "$@")]
YAML
}
serve() { pod "$1" "$2" service --warmup-seconds=0 --drain-seconds=0 && kubectl expose pod "$1" --port=80 --target-port=8080 >/dev/null; }
address() { kubectl get pod "$1" -o 'jsonpath={.status.podIP}'; }
service_address() { kubectl get service "$1" -o 'jsonpath={.spec.clusterIP}'; }
# 40 requests from a pod on NODE, of which none may fail
reaches() { # NODE TARGET
  local report
  kubectl delete pod probe --ignore-not-found --wait >/dev/null
  pod probe "$1" load "--target=http://$2" --rate=40 --duration=1s --mix=/version --quiet --timeout=2s
  kubectl wait pod probe --for=jsonpath='{.status.phase}'=Succeeded --timeout=30s || { kubectl logs probe; return 1; }
  report=$(kubectl logs probe)
  python3 -c 'import json, sys; t = json.loads(sys.argv[1][sys.argv[1].index("{"):])["total"]; sys.exit(0 if t["completed"] == 40 else str(t))' "$report"
}
zones() { kubectl get nodes -L topology.kubernetes.io/zone --no-headers | awk '{ print $NF }' | sort | xargs; }
dns_pods() { kubectl -n kube-system get pods -l k8s-app=kube-dns -o "jsonpath={.items[*].spec.nodeName}" | tr ' ' '\n' | sort | xargs; }

succeeds "both nodes are Ready and take pods" test "$(kubectl get nodes -o 'jsonpath={.items[*].spec.taints}')" = ""
succeeds "they are in two zones" test "$(zones)" = "zone-a zone-b"
succeeds "each has a CoreDNS, which has reached the API" test "$(dns_pods)" = "$first $worker"
serve on-first "$first"
serve on-worker "$worker"
kubectl wait pod on-first on-worker --for=condition=Ready --timeout=30s >/dev/null
for node in "$first" "$worker"; do
  for server in on-first on-worker; do
    succeeds "$node: pod $server by its address" reaches "$node" "$(address $server):8080"
    succeeds "$node: its Service by its address" reaches "$node" "$(service_address $server)"
    succeeds "$node: its Service by its name" reaches "$node" "$server"
  done
done
succeeds "the API server reaches a pod of the worker" kubectl get --raw "/api/v1/namespaces/default/pods/on-worker:8080/proxy/version"
succeeds "a worker's pod has its logs" kubectl logs on-worker
succeeds "the worker can be drained" kubectl drain "$worker" --ignore-daemonsets --force --timeout=60s
succeeds "and is left to DaemonSets" test "$(kubectl get pods -A --field-selector="spec.nodeName=$worker" -o 'jsonpath={.items[*].metadata.ownerReferences[*].kind}')" = DaemonSet
succeeds "DNS still answers" reaches "$first" on-first
succeeds "and takes pods again when uncordoned" kubectl uncordon "$worker"
# shellcheck disable=SC2046 # words
docker restart $(node_containers "$cluster") >/dev/null
succeeds "a second up mends it after a restart of the nodes" scripts/cluster up --name "$cluster"
kubectl delete pod on-first on-worker --ignore-not-found >/dev/null 2>&1
pod on-worker "$worker" service --warmup-seconds=0
succeeds "pods run again" kubectl wait pod on-worker --for=condition=Ready --timeout=60s
succeeds "and are reached from the other node" reaches "$first" "$(address on-worker):8080"
exit $failed
