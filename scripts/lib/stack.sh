# shellcheck shell=bash
# The whole demo stack on kind: tools, programs, images, cluster, charts, ScalableApps.
# For: `source` from ./demo and tests/e2e. Not for: the show or any check.

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for part in common tools docker images cluster build; do
  # shellcheck disable=SC1090
  . "$lib/$part.sh"
done
root=$(cd "$lib/../.." && pwd)

operator_image=scalableapp/operator
workload_image=scalableapp/workload

# Tags by content, so that an upgrade of a running cluster rolls the pods over exactly when needed.
content_tag() { sha256sum "$1" | cut -c 1-12; }

stack_images() {
  step "images"
  operator_tag=$(content_tag "$root/build/release/bin/scalableapp-operator")
  workload_tag=$(content_tag "$root/build/release/bin/demo-workload")
  image_from_binary "$operator_image:$operator_tag" "$root/build/release/bin/scalableapp-operator" --ca-certificates \
    --time-zones
  image_from_binary "$workload_image:$workload_tag" "$root/build/release/bin/demo-workload"
  ensure_prometheus_image
  ensure_redis_image
}

# Those of earlier builds, but for the newest of each; while a cluster runs, another run may be about to load one.
forget_earlier_images() {
  local repository
  if ! docker_is_there || [ -n "$(docker ps -q --filter label=io.x-k8s.kind.cluster)" ]; then return 0; fi
  for repository in "$operator_image" "$workload_image"; do
    docker images --format '{{.Repository}}:{{.Tag}}' "$repository" | grep -E ':[0-9a-f]{12}$' | tail -n +2 |
      xargs -r docker rmi >/dev/null 2>&1 || true
  done
}

# release NAME CHART NAMESPACE [helm flags...]
release() {
  local name=$1 chart=$2 namespace=$3
  shift 3
  logged "helm-$name" helm upgrade --install "$name" "$root/charts/$chart" --namespace "$namespace" \
    --create-namespace --wait --timeout 180s "$@"
  if [ "$logged_rc" = 0 ]; then return 0; fi
  say "what there is in namespace $namespace:"
  kubectl -n "$namespace" --request-timeout=10s get pods -o wide >&2 || true
  { kubectl -n "$namespace" --request-timeout=10s get events --sort-by=.lastTimestamp || true; } | tail -n 10 >&2
  say "if helm says below that another operation is in progress: helm -n $namespace uninstall $name"
  fail "helm-$name (exit $logged_rc)" \
    "see above what it waited for (kubectl -n $namespace describe pods says more), then run this again" "$logged_file"
}

# app_manifest NAME: examples/NAME.yaml with the images that were built here.
app_manifest() { sed "s#image: scalableapp/workload:dev#image: $workload_image:$workload_tag#" "$root/examples/$1.yaml"; }

# Everything but the workload: the programs [and further targets], the cluster, Prometheus, the operator.
# stack_base NAME [TARGET...]
stack_base() {
  local name=$1
  shift
  # first, since without it the rest is for nothing
  ensure_docker
  ensure_kubectl
  ensure_helm
  ensure_kind
  build_project release scalableapp-operator demo-workload "$@"
  cluster_up "$name"
  KUBECONFIG=$(cluster_kubeconfig "$name")
  export KUBECONFIG
  PATH=$cache/bin:$PATH
  stack_images
  # :dev is what examples/ name, for whoever applies them as they are.
  docker tag "$workload_image:$workload_tag" "$workload_image:dev"
  cluster_load "$name" "$operator_image:$operator_tag" "$workload_image:$workload_tag" "$workload_image:dev" \
    "$prometheus_image" "$redis_image"
  step "charts"
  # tags as strings: one may happen to be all digits
  release prometheus monitoring monitoring "${prometheus_values[@]}" \
    --set-string "image.repository=${prometheus_image%:*},image.tag=${prometheus_image##*:}"
  release scalableapp-operator operator scalableapp-system --set-string "image.tag=$operator_tag"
}
prometheus_values=()

# release_workload NAMESPACE [helm flags...]
release_workload() {
  local namespace=$1
  shift
  release demo workload "$namespace" --set-string "image.tag=$workload_tag" \
    --set-string "redis.image.repository=${redis_image%:*},redis.image.tag=${redis_image##*:}" "$@"
}

stack_up() {
  stack_base "$1"
  release_workload demo
  step "ScalableApps web and worker"
  { app_manifest web; echo ---; app_manifest worker; } | kubectl -n demo apply -f - >&2
  wait_for_app web
  wait_for_app worker
}

# What a scenario stands on, in each of its namespaces, beside the base; its apps are applied when it is played.
# scenario_up CLUSTER SCENARIO
scenario_up() {
  local values namespace images=() more
  # It writes days of history, and asks for them.
  prometheus_values=(--set-string "remoteWriteWindow=30d,retention=30d")
  stack_base "$1" kubectl-scalableapp
  values=$(mktemp -d)
  for namespace in $(scenario_py values "$2"); do
    scenario_py values "$2" "$namespace" >"$values/$namespace.json"
    more=()
    if grep -qE '"(edge|globalEdge)": {"enabled": true' "$values/$namespace.json"; then
      ensure_nginx_image
      images+=("$nginx_image")
      more+=(--set-string "edge.image.repository=${nginx_image%:*},edge.image.tag=${nginx_image##*:}"
        --set-string "globalEdge.image.repository=${nginx_image%:*},globalEdge.image.tag=${nginx_image##*:}")
    fi
    if grep -q '"postgres": {"enabled": true' "$values/$namespace.json"; then
      ensure_postgres_image
      images+=("$postgres_image")
      more+=(--set-string "postgres.image.repository=${postgres_image%:*},postgres.image.tag=${postgres_image##*:}")
    fi
    if [ ${#images[@]} != 0 ]; then cluster_load "$1" "${images[@]}"; fi
    release_workload "$namespace" -f "$values/$namespace.json" "${more[@]}"
  done
  rm -rf "$values"
}

scenario_py() { python3 -B "$root/scripts/show/scenario.py" "$@"; }

wait_for_app() {
  local name=$1
  if ! kubectl -n demo wait "scalableapp/$name" --for=condition=Ready --timeout=90s >/dev/null 2>&1; then
    kubectl -n demo describe scalableapp "$name" | tail -n 30 >&2 || true
    kubectl -n demo get pods >&2 || true
    fail "ScalableApp $name is not Ready after 90 s" "the lines above say why; operator log: kubectl -n scalableapp-system logs deploy/scalableapp-operator"
  fi
}

stack_down() {
  cluster_down "$1"
  forget_earlier_images
  stop_docker_if_ours
}
