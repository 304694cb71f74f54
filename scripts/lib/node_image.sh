# shellcheck shell=bash
# The image that is a kind node: the published one where a registry answers, otherwise one put together from a Debian
# root filesystem, kind's own node files and Kubernetes built from its Go modules, with the control plane's images in it.
# For: ensure_node_image, which sets $node_image and $node_image_is_ours. Not for: anything that runs on a cluster.

if [ -n "${SCALABLEAPP_NODE_IMAGE_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_NODE_IMAGE_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source-path=SCRIPTDIR source=tools.sh
. "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source-path=SCRIPTDIR source=docker.sh
. "$(dirname "${BASH_SOURCE[0]}")/docker.sh"
# shellcheck source-path=SCRIPTDIR source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

# kind's own default for $kind_version
node_image_upstream=kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a
node_files=$scripts_dir/../images/node

debian_release=bookworm
node_packages=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2
node_packages+=,bash,ca-certificates,curl,jq,procps,runc,containerd,ebtables,socat,hostname

# the names that kubeadm gives these
pause_image=registry.k8s.io/pause:3.10.1
etcd_image=registry.k8s.io/etcd:3.6.5-0
coredns_image=registry.k8s.io/coredns/coredns:$coredns_version
kube_image() { printf 'registry.k8s.io/%s:%s\n' "$1" "$kubernetes_version"; }

# changes with anything that the image is made from
node_image_tag() {
  {
    cat "$node_files"/* "${BASH_SOURCE[0]}"
    printf '%s\n' "$kubernetes_version" "$etcd_version" "$coredns_version" "$cni_version" "$kind_version"
  } | sha256sum | cut -c 1-12 | sed "s/^/scalableapp\/node:$kubernetes_version-/"
}

bootstrap_root_filesystem() { # IMAGE
  local archive=$cache/build/node-rootfs.tar
  as_root mmdebstrap --format=tar --variant=minbase --include="$node_packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$debian_release" "$archive.part"
  docker import "$archive.part" "$1"
  as_root rm -f "$archive.part"
}

# The root filesystem changes with its list of packages only, and costs a minute of downloads.
ensure_root_filesystem() {
  local tag
  tag=scalableapp/node-rootfs:$debian_release-$(printf '%s' "$node_packages" | sha256sum | cut -c 1-12)
  root_filesystem_image=$tag
  if image_exists "$tag"; then return 0; fi
  need_command mmdebstrap mmdebstrap
  step "bootstrapping Debian $debian_release for the node"
  with_log node-rootfs bootstrap_root_filesystem "$tag"
}

build_pause_program() { gcc -static -O2 -Wall -o "$cache/bin/pause" "$node_files/pause.c"; }

# kube-proxy calls iptables, so its image holds that too, out of the root filesystem.
build_kube_proxy_image() {
  local stage inputs="$kubernetes_version $root_filesystem_image"
  inputs=${inputs//[^a-z0-9.]/-}
  if [ "$(image_inputs "$(kube_image kube-proxy)")" = "$inputs" ]; then return 0; fi
  stage=$(mktemp -d "$cache/build/kube-proxy.XXXXXX")
  docker run --rm --network none --entrypoint sh "$root_filesystem_image" -c '
    cd /usr/sbin
    programs=$(ls -d iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore nft conntrack)
    libraries=$(ldd $programs /usr/lib/*/xtables/*.so 2>/dev/null | sed -n "s/.*[[:space:]]\(\/[^ ]*\) (.*/\1/p" | sort -u)
    tar -chf - $(printf "/usr/sbin/%s " $programs) $libraries /usr/lib/*/xtables /etc/protocols 2>/dev/null || true' |
    tar -C "$stage" -xf -
  mkdir -p "$stage/usr/local/bin" "$stage/run"
  cp "$cache/bin/kube-proxy-$kubernetes_version" "$stage/usr/local/bin/kube-proxy"
  stage_users_and_tmp "$stage"
  import_stage "$stage" "$(kube_image kube-proxy)" /usr/local/bin/kube-proxy 0 "$inputs"
  rm -rf "$stage"
}

build_control_plane_images() {
  local name
  need_command gcc gcc
  with_log build-pause build_pause_program
  image_from_binary "$pause_image" "$cache/bin/pause" --entrypoint /pause --user 65535
  image_from_binary "$etcd_image" "$cache/bin/etcd-$etcd_version" --entrypoint /usr/local/bin/etcd --user 0
  image_from_binary "$coredns_image" "$cache/bin/coredns-$coredns_version" --entrypoint /coredns --user 0
  for name in kube-apiserver kube-controller-manager kube-scheduler; do
    image_from_binary "$(kube_image $name)" "$cache/bin/$name-$kubernetes_version" --entrypoint /usr/local/bin/$name --user 0
  done
  with_log image-kube-proxy build_kube_proxy_image
}

stage_node_files() { # STAGE: everything that goes over the root filesystem
  local stage=$1 kind_source plugin name
  kind_source=$(cd "$cache/build" && go mod download -json "sigs.k8s.io/kind@$kind_version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  mkdir -p "$stage/usr/bin" "$stage/opt/cni/bin" "$stage/etc/cni/net.d" "$stage/kind"
  cp -R "$kind_source/images/base/files/." "$stage/"
  chmod -R u+w "$stage"
  for name in kubeadm kubelet kubectl; do cp "$cache/bin/$name-$kubernetes_version" "$stage/usr/bin/$name"; done
  for plugin in $cni_plugins; do cp "$cache/bin/cni-$plugin-$cni_version" "$stage/opt/cni/bin/$plugin"; done
  cp "$node_files/10-ptp.conflist" "$stage/etc/cni/net.d/"
  cp "$node_files/setup.sh" "$stage/kind/setup.sh"
}

# One container: the files go in, setup.sh runs, the control plane's images are imported, and what results is committed.
assemble_node_image() { # TAG
  local tag=$1 stage container images=() name
  stage=$(mktemp -d "$cache/build/node.XXXXXX")
  stage_node_files "$stage"
  container=$(docker run -d --network none --stop-signal SIGRTMIN+3 --entrypoint sleep "$root_filesystem_image" 900)
  # shellcheck disable=SC2064 # these values, now
  trap "docker rm -f $container >/dev/null; rm -rf $stage" EXIT
  # Extracted inside, where /lib and /sbin are links into /usr.
  tar -C "$stage" --owner=0 --group=0 --numeric-owner -c . | docker exec -i "$container" tar -C / --keep-directory-symlink -xf -
  docker exec "$container" bash /kind/setup.sh "$kubernetes_version" "$pause_image"
  images=("$pause_image" "$etcd_image" "$coredns_image")
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do images+=("$(kube_image "$name")"); done
  # Not unpacked: that happens on the node's own volume, where overlay works.
  docker save "${images[@]}" | docker exec -i "$container" sh -c '
    containerd >/tmp/containerd.log 2>&1 & containerd=$!
    until ctr version >/dev/null 2>&1; do
      kill -0 $containerd || { cat /tmp/containerd.log; exit 1; }
      sleep 0.2
    done
    ctr -n k8s.io images import --no-unpack -
    kill $containerd
    wait $containerd || true
    rm -f /kind/setup.sh /tmp/containerd.log'
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'ENV container=docker' \
    "$container" "$tag"
}

# those that a cluster still uses stay
forget_earlier_node_images() { # TAG
  docker images --format '{{.Repository}}:{{.Tag}}' scalableapp/node | grep -vxF "$1" | xargs -r docker rmi >/dev/null 2>&1 || true
}

build_node_image() { # TAG
  if image_exists "$1"; then return 0; fi
  local began=$SECONDS
  step "building the node image (ten minutes if Kubernetes is yet to be compiled, else one)"
  ensure_go
  ensure_node_programs
  ensure_root_filesystem
  step "images of the control plane"
  build_control_plane_images
  step "assembling $1"
  with_log node-image assemble_node_image "$1"
  forget_earlier_node_images "$1"
  say "node image built in $((SECONDS - began)) s"
}

node_image_exists() { image_exists "$(node_image_tag)" || image_exists "$node_image_upstream"; }

pull_node_image() {
  step "pulling $node_image_upstream"
  logged pull-node docker pull "$node_image_upstream"
  if [ "$logged_rc" != 0 ]; then say_pull_failed "$node_image_upstream"; fi
}

# sets $node_image, and $node_image_is_ours to yes or no
ensure_node_image() {
  local ours
  ours=$(node_image_tag)
  if ! node_image_exists && registry_reachable; then pull_node_image; fi
  # shellcheck disable=SC2034 # for cluster.sh
  if ! image_exists "$ours" && image_exists "$node_image_upstream"; then
    node_image=$node_image_upstream node_image_is_ours=no
  else
    node_image=$ours node_image_is_ours=yes
    if ! image_exists "$ours"; then with_lock node-image build_node_image "$ours"; fi
  fi
}
