#!/bin/bash
# Turns a Debian root filesystem that holds kind's own node files, the Kubernetes programs and the CNI plugins into a
# kind node. The steps are those of kind's images/base/Dockerfile.
# For: running inside the container that becomes the node image, as: setup.sh KUBERNETES_VERSION SANDBOX_IMAGE.
# Not for: a machine.
set -euo pipefail
kubernetes_version=$1 sandbox_image=$2

chmod -R u=rwX,go=rX /kind /etc/containerd /etc/systemd/system
chmod 755 /kind/bin/* /usr/local/bin/* /usr/bin/kube* /opt/cni/bin/*

# kind's units name the places where its own image has these
for program in containerd containerd-shim-runc-v2 ctr; do ln -sf "/usr/bin/$program" "/usr/local/bin/$program"; done
mkdir -p /usr/local/sbin
ln -sf "$(command -v runc)" /usr/local/sbin/runc
ln -sf /usr/lib/systemd/systemd /sbin/init

# services that mean nothing in a container
find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/sockets.target.wants/*udev* \
  /lib/systemd/system/sockets.target.wants/*initctl* /lib/systemd/system/basic.target.wants/*
echo ReadKMsg=no >>/etc/systemd/journald.conf
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service

# A container may not lower its oom score without CAP_SYS_RESOURCE, which not every host has.
sed -i "s#restrict_oom_score_adj = false#restrict_oom_score_adj = true#; s#sandbox_image = .*#sandbox_image = \"$sandbox_image\"#" \
  /etc/containerd/config.toml
# Without kind's hook, which hides the machine's product id from each container: it costs 20 ms of CPU for each one.
ctr oci spec | jq 'del(.process.rlimits)' >/etc/containerd/cri-base.json

mkdir -p /etc/kubernetes/manifests /kind/manifests /LICENSES
printf '%s' "$kubernetes_version" >/kind/version
# kind applies both of these, and each must hold at least one object.
cat >/kind/manifests/default-storage.yaml <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
YAML
cat >/kind/manifests/default-cni.yaml <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: pod-network, namespace: kube-system}
data: {note: "static: /etc/cni/net.d/10-ptp.conflist"}
YAML
