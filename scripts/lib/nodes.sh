# shellcheck shell=bash
# What a kind cluster of several nodes needs beyond one of one node: its nodes and their zones in kind's configuration, a
# pod network where the node image brings a static one that is for one node, and a CoreDNS that outlives a node's drain.
# For: cluster.sh. Not for: a cluster of one node, which is made without any of this.

if [ -n "${SCALABLEAPP_NODES_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_NODES_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=node_image.sh
. "$(dirname "${BASH_SOURCE[0]}")/node_image.sh"

most_nodes=9
pod_subnet=10.244.0.0/16 # as in kind-config.yaml
# Where containerd looks for the pod network instead of /etc/cni/net.d: empty until the node's pod CIDR is known, so no
# pod gets an address of another node's.
pod_network_dir=/etc/cni/pods.d

check_node_count() { # TEXT
  [[ $1 =~ ^[1-9]$ ]] || fail "--nodes $1: must be a number from 1 to $most_nodes" "scripts/cluster --help"
}

# A control plane that takes pods as well, and workers; in two zones by turns.
nodes_of_config() { # NODES
  local index zones=(a b)
  printf '%s\n' '- role: control-plane' '  labels: {topology.kubernetes.io/zone: zone-a}' \
    '  kubeadmConfigPatches:' '  - |' '    kind: InitConfiguration' '    nodeRegistration: {taints: []}'
  for ((index = 1; index < $1; index++)); do
    printf -- '- role: worker\n  labels: {topology.kubernetes.io/zone: zone-%s}\n' "${zones[index % 2]}"
  done
}

several_nodes_config() { # NODES: of the one-node configuration on stdin
  sed -e '/^- role: control-plane$/{' -e "r "<(nodes_of_config "$1") -e 'd' -e '}'
  if [ "$node_image_is_ours" = yes ]; then
    printf '%s\n' 'containerdConfigPatches:' '- |' '  [plugins."io.containerd.grpc.v1.cri".cni]' \
      "  conf_dir = \"$pod_network_dir\""
  fi
}

# prints "NODE POD-CIDR ADDRESS" for each node that has all three
node_networks() { # NAME
  local address='{.status.addresses[?(@.type=="InternalIP")].address}'
  on_cluster "$1" get nodes -o "jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR} $address{\"\\n\"}{end}" |
    awk 'NF == 3'
}

await_pod_cidrs() { # NAME NODES
  local waited=0
  until [ "$(node_networks "$1" | wc -l)" = "$2" ]; do
    [ "$waited" -lt 120 ] || fail "not every node of '$1' has a pod CIDR after 60 s" "see: kubectl get nodes -o yaml"
    waited=$((waited + 1))
    sleep 0.5
  done
}

# The node's own CIDR for its pods. Pods reach each other without NAT, and all else with their node's address.
write_pod_network() { # NODE POD-CIDR
  sed -e 's/"ipMasq": true/"ipMasq": false/' -e "s#\"subnet\": \"[^\"]*\"#\"subnet\": \"$2\"#" "$node_files/10-ptp.conflist" |
    docker exec -i "$1" sh -c "mkdir -p $pod_network_dir && cd $pod_network_dir && cat >part && mv part 10-ptp.conflist"
}

# Routes and NAT are gone after a restart of the node's container, and its address may be another.
route_pods() { # NODE NETWORKS: all of node_networks
  local other cidr address commands=''
  while read -r other cidr address; do
    if [ "$other" != "$1" ]; then commands+="ip route replace $cidr via $address; "; fi
  done <<<"$2"
  commands+="rule='POSTROUTING -s $pod_subnet ! -d $pod_subnet -j MASQUERADE'; "
  # shellcheck disable=SC2016 # for the node's shell
  commands+='iptables -w -t nat -C $rule 2>/dev/null || iptables -w -t nat -A $rule'
  docker exec "$1" sh -ec "$commands"
}

# Where packets on a bridge go through the machine's firewall, keep_cluster_ranges_in would refuse those from node to node.
let_pods_cross_the_bridge() {
  local bridge rule
  our_docker_pid >/dev/null || return 0
  bridge=br-$(docker network inspect -f '{{slice .Id 0 12}}' kind)
  rule="DOCKER-USER -i $bridge -o $bridge -d $pod_subnet -j RETURN"
  # shellcheck disable=SC2086 # words
  iptables -C $rule 2>/dev/null || iptables -I $rule
}

# Whatever is there already stays; for every `up`.
connect_nodes() { # NAME NODES
  local networks node cidr address
  let_pods_cross_the_bridge
  # kindnet does the rest
  if docker exec "$1-control-plane" test ! -e /etc/cni/net.d/10-ptp.conflist; then return 0; fi
  await_pod_cidrs "$1" "$2"
  networks=$(node_networks "$1")
  # the network first: a node is Ready once that is there
  while read -r node cidr address; do
    route_pods "$node" "$networks"
    write_pod_network "$node" "$cidr"
  done <<<"$networks"
}

# After kind has made the containers: the network, all nodes Ready, and CoreDNS on two of them.
finish_several_nodes() { # NAME NODES
  on_cluster "$1" -n kube-system scale deployment coredns --replicas=0
  connect_nodes "$1" "$2"
  on_cluster "$1" wait nodes --all --for=condition=Ready --timeout=180s --request-timeout=190s
  on_cluster "$1" -n kube-system scale deployment coredns --replicas=2
}
