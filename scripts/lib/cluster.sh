# shellcheck shell=bash
# A kind cluster, wherever its node image comes from, with a kubeconfig of its own under $cache.
# For: cluster_up, cluster_down, cluster_load, cluster_status, cluster_kubeconfig. Not for: what runs on the cluster.

if [ -n "${SCALABLEAPP_CLUSTER_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_CLUSTER_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=node_image.sh
. "$(dirname "${BASH_SOURCE[0]}")/node_image.sh"
# shellcheck source-path=SCRIPTDIR source=nodes.sh
. "$(dirname "${BASH_SOURCE[0]}")/nodes.sh"

default_cluster=scalableapp
cluster_config=$scripts_dir/../kind-config.yaml

cluster_kubeconfig() { printf '%s\n' "$cache/kubeconfig-${1:-$default_cluster}"; }

check_cluster_name() { # NAME
  case $1 in
    '' | *[!a-z0-9-]*) fail "'$1' cannot be a cluster's name" "use lower-case letters, digits and '-'" ;;
  esac
}

# prints a line after which `kubectl` reaches the cluster in the user's own shell
reach_cluster() { # NAME
  local kubeconfig
  kubeconfig=$(cluster_kubeconfig "$1")
  if through_sudo; then
    printf "alias kubectl='sudo %s --kubeconfig %s'\n" "$cache/bin/kubectl" "$kubeconfig"
  else
    printf 'export KUBECONFIG=%s PATH=%s:$PATH\n' "$kubeconfig" "$cache/bin"
  fi
}

on_cluster() { # NAME KUBECTL-ARGUMENTS...
  local kubeconfig
  kubeconfig=$(cluster_kubeconfig "$1")
  shift
  kubectl --kubeconfig "$kubeconfig" --request-timeout=10s "$@"
}

node_containers() { # NAME [docker ps flags]
  docker ps --filter "label=io.x-k8s.kind.cluster=$1" --format '{{.Names}}' "${@:2}"
}

node_count() { node_containers "$1" --all | wc -l; } # NAME

# All of them, and said so lately: after a restart the API still tells what was true before it.
nodes_ready() { # NAME
  local ready renewed time
  ready=$(on_cluster "$1" get nodes -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) || return 1
  renewed=$(on_cluster "$1" -n kube-node-lease get leases -o 'jsonpath={.items[*].spec.renewTime}' 2>/dev/null) || return 1
  [ "$(tr ' ' '\n' <<<"$ready" | grep -cx True)" = "$(node_count "$1")" ] && [ -n "$renewed" ] || return 1
  for time in $renewed; do
    [ $(($(date +%s) - $(date -d "$time" +%s))) -lt 25 ] || return 1
  done
}

# Docker starts a node's container again after a restart of the machine or of the daemon, mostly with success. Where
# it did not, or the node does not become Ready, the cluster is made anew.
cluster_healthy() { # NAME
  local waited=0
  [ -n "$(node_containers "$1")" ] && [ "$(node_containers "$1")" = "$(node_containers "$1" --all)" ] || return 1
  kind get kubeconfig --name "$1" >"$(cluster_kubeconfig "$1").part" 2>/dev/null || return 1
  chmod 600 "$(cluster_kubeconfig "$1").part"
  mv "$(cluster_kubeconfig "$1").part" "$(cluster_kubeconfig "$1")"
  until nodes_ready "$1"; do
    [ "$waited" -lt 30 ] || return 1
    if [ "$waited" = 0 ]; then say "cluster '$1' is there but not Ready yet; giving it up to 60 s"; fi
    waited=$((waited + 1))
    sleep 2
  done
}

# A node image built here brings a static pod network, which is for one node.
one_node_config() {
  if [ "$node_image_is_ours" = yes ]; then
    sed 's/^networking:$/networking:\n  disableDefaultCNI: true/' "$cluster_config"
  else
    cat "$cluster_config"
  fi
}

create_cluster() { # NAME NODES
  local kubeconfig config=$cache/kind-$1.yaml
  kubeconfig=$(cluster_kubeconfig "$1")
  # kind waits for the node; what it starts on the node is small enough to be slow only under load
  if [ "$2" = 1 ]; then
    one_node_config >"$config"
    kind create cluster --name "$1" --image "$node_image" --config "$config" --kubeconfig "$kubeconfig" --wait 180s
    # one node has no use for two
    on_cluster "$1" -n kube-system scale deployment coredns --replicas=1
  else
    one_node_config | several_nodes_config "$2" >"$config"
    kind create cluster --name "$1" --image "$node_image" --config "$config" --kubeconfig "$kubeconfig"
    finish_several_nodes "$1" "$2"
  fi
  on_cluster "$1" -n kube-system rollout status deployment coredns --timeout=90s --request-timeout=100s
}

up_unless_healthy() { # NAME [NODES]: as many as it has unless told, or one
  local began=$SECONDS had nodes
  had=$(node_count "$1")
  nodes=${2:-$((had > 0 ? had : 1))}
  if [ "$had" != 0 ] && [ "$had" != "$nodes" ]; then
    fail "cluster '$1' has $had node(s), not $nodes" "scripts/cluster down --name $1, or another --name"
  fi
  if cluster_healthy "$1"; then
    if [ "$nodes" != 1 ]; then with_log "connect-$1" connect_nodes "$1" "$nodes"; fi
    say "cluster '$1' is up already; using it"
    return 0
  fi
  if [ -n "$(node_containers "$1" --all)" ]; then
    step "cluster '$1' is not usable (stopped, or not Ready); making it anew"
    with_log "delete-$1" kind delete cluster --name "$1" --kubeconfig "$(cluster_kubeconfig "$1")"
  fi
  ensure_node_image
  step "creating cluster '$1' from $node_image"
  with_log "create-$1" create_cluster "$1" "$nodes"
  say "cluster '$1' is Ready after $((SECONDS - began)) s"
}

# cluster_up [NAME [NODES]]: afterwards a Ready cluster, and $(cluster_kubeconfig NAME) leads to it.
cluster_up() {
  local name=${1:-$default_cluster}
  ensure_docker
  ensure_kind
  ensure_kubectl
  # asked here, since the lock's subshell would keep the answer to itself
  if ! node_image_exists; then registry_reachable || true; fi
  with_lock "cluster-$name" up_unless_healthy "$name" "${2:-}"
  say "$(reach_cluster "$name")"
}

delete_cluster_if_there() { # NAME
  ensure_docker_of_before
  if [ -z "$(node_containers "$1" --all)" ]; then
    say "no cluster '$1'"
    return 0
  fi
  ensure_kind
  step "deleting cluster '$1'"
  with_lock "cluster-$1" with_log "delete-$1" kind delete cluster --name "$1" --kubeconfig "$(cluster_kubeconfig "$1")"
}

cluster_down() {
  local name=${1:-$default_cluster}
  if command -v docker >/dev/null || [ -d "$docker_dir/data" ]; then
    delete_cluster_if_there "$name"
  else
    say "no cluster '$name', nor Docker"
  fi
  rm -f "$(cluster_kubeconfig "$name")"
}

cluster_status() {
  local name=${1:-$default_cluster}
  if ! command -v docker >/dev/null || ! docker_answers; then
    say "no Docker daemon answers, so no cluster runs"
    return 1
  fi
  if [ -z "$(node_containers "$name" --all)" ]; then
    say "no cluster '$name'; start it with: scripts/cluster up --name $name"
    return 1
  fi
  ensure_kubectl
  on_cluster "$name" get nodes -o wide
  on_cluster "$name" get pods --all-namespaces
}

# ------------------------------------------------------------------------------------------------------ loading images

# the name under which the node's containerd keeps an image: with a host and a namespace
full_image_name() {
  case $1 in
    *.*/* | localhost*/* | *:*/*) printf '%s\n' "$1" ;;
    */*) printf 'docker.io/%s\n' "$1" ;;
    *) printf 'docker.io/library/%s\n' "$1" ;;
  esac
}

# What was loaded is remembered in files on the node, keyed by docker's image id, and believed only as long as the
# node's name still points at what that load left.
loaded_target() { # NODE FULL-NAME
  docker exec "$1" ctr -n k8s.io images ls "name==$2" 2>/dev/null | awk 'NR == 2 { print $3 }'
}

node_has_image() { # NODE FULL-NAME ID
  local noted
  noted=$(docker exec "$1" cat "/kind/loaded/$3" 2>/dev/null) || return 1
  [ -n "$noted" ] && [ "$noted" = "$2 $(loaded_target "$1" "$2")" ]
}

# Of an image for many platforms Docker may hold, and save, one only: ctr must not look for the others.
transfer_image() { # NODE IMAGE FULL-NAME ID
  local platform=()
  if docker exec "$1" ctr images import --help | grep -e '--platform ' >/dev/null; then
    platform=(--platform "linux/$(go_architecture)")
  fi
  docker save "$2" | docker exec -i "$1" ctr -n k8s.io images import "${platform[@]}" --snapshotter overlayfs -
  docker exec "$1" sh -c "mkdir -p /kind/loaded && printf '%s\n' '$3 $(loaded_target "$1" "$3")' >/kind/loaded/$4"
}

# cluster_load NAME IMAGE...: onto every node, unless it is there with this content already. Pods that use it say
# imagePullPolicy: IfNotPresent.
cluster_load() {
  local name=$1 node image id full nodes
  shift
  nodes=$(node_containers "$name")
  [ -n "$nodes" ] || fail "no cluster '$name' to load images onto" "start it with: scripts/cluster up --name $name"
  for image in "$@"; do
    id=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null) ||
      fail "no image '$image' in Docker" "build or pull it first; 'docker images' lists what there is"
    full=$(full_image_name "$image")
    for node in $nodes; do
      if node_has_image "$node" "$full" "$id-${full//[^a-z0-9.]/-}"; then continue; fi
      say "loading $image onto $node"
      with_log "load-${image//[^a-z0-9.]/-}" transfer_image "$node" "$image" "$full" "$id-${full//[^a-z0-9.]/-}"
    done
  done
}
