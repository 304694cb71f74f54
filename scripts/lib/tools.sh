# shellcheck shell=bash
# The programs that a cluster, a test API server and the charts need: taken from the machine where it has them,
# otherwise built from pinned Go modules into $cache/bin/NAME-VERSION, with $cache/bin/NAME pointing at the one to use.
# For: ensure_NAME, after which `NAME` and `$cache/bin/NAME` work. Not for: images, or starting anything.

if [ -n "${SCALABLEAPP_TOOLS_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_TOOLS_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Kubernetes stays at or below 1.34 because later kubelets refuse hosts that still have cgroup v1.
kubernetes_version=v1.34.4
etcd_version=v3.6.5
kind_version=v0.30.0
helm_version=v3.19.0
kwok_version=v0.7.0
coredns_version=v1.12.1
cni_version=v1.7.1
prometheus_version=v0.53.4 # the module of Prometheus 2.53.4
gateway_api_version=v1.4.1
kafka_version=4.3.1
go_minimum=1.24
# What to fetch when the machine has no Go that is new enough.
go_fallback=go1.24.11

# The directory goes first, so that one run never mixes a pinned program with another version of itself.
case ":$PATH:" in *":$cache/bin:"*) ;; *) export PATH="$cache/bin:$PATH" ;; esac

# ---------------------------------------------------------------------------------------------------------------- Go

go_is_new_enough() { # PROGRAM
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  version_at_least "${version#go}" "$go_minimum"
}

# goes where the machine keeps it: PATH, Debian's versioned directories, what an earlier run fetched
find_new_enough_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go "$cache/$go_fallback/bin/go"; do
    if [ -x "$candidate" ] && go_is_new_enough "$candidate"; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

newest_go_package() {
  command -v apt-cache >/dev/null || return 0
  apt-cache pkgnames golang-1. 2>/dev/null | sed -n 's/^golang-\(1\.[0-9]*\)-go$/\1/p' | sort -V | tail -n 1
}

go_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) uname -m ;;
  esac
}

# The Go toolchain is itself a Go module, so whichever module proxy works for modules works for it. An old Go fetches
# it and checks it against the checksum database; without any Go, GOPROXY must say where to ask.
download_go_toolchain() {
  local os module version zip dir
  os=$(uname -s | tr '[:upper:]' '[:lower:]')
  version=v0.0.1-$go_fallback.$os-$(go_architecture)
  module=golang.org/toolchain
  dir=$cache/$go_fallback
  if command -v go >/dev/null; then
    # GOTOOLCHAIN is unknown to a Go older than 1.21, and keeps a newer one from switching by itself.
    zip=$(cd "$cache/build" && GOTOOLCHAIN=local GO111MODULE=on GOFLAGS=-modcacherw go mod download -json "$module@$version" |
      sed -n 's/.*"Zip": "\(.*\)",/\1/p')
  else
    local proxy=${GOPROXY:-}
    proxy=${proxy%%[,|]*}
    case $proxy in http*) ;; *)
      echo "no go program, and GOPROXY names no proxy to fetch $module@$version from"
      return 1
      ;;
    esac
    zip=$cache/build/$go_fallback.zip
    curl -fsSL --retry 3 -o "$zip.part" "$proxy/$module/@v/$version.zip"
    mv "$zip.part" "$zip"
  fi
  rm -rf "$dir.part"
  mkdir -p "$dir.part"
  # Modules hold no execute bits and no nested go.mod files (they are stored as _go.mod): put both back.
  unzip -q "$zip" -d "$dir.part"
  mv "$dir.part/$module@$version"/* "$dir.part/"
  find "$dir.part" -name _go.mod -execdir mv {} go.mod ';'
  chmod -R a+x "$dir.part/bin" "$dir.part/pkg/tool"
  "$dir.part/bin/go" version
  rm -rf "$dir"
  mv "$dir.part" "$dir"
}

obtain_go() {
  if find_new_enough_go >/dev/null; then return 0; fi
  if command -v apt-get >/dev/null; then
    update_package_lists_once
    local package
    package=$(newest_go_package)
    if [ -n "$package" ] && version_at_least "$package" "$go_minimum"; then
      need_packages "golang-$package-go"
      return 0
    fi
    # Too old to build with, but it knows how to fetch modules and to verify them.
    command -v go >/dev/null || need_packages golang-go ca-certificates
    need_command unzip unzip
  fi
  step "fetching $go_fallback as a Go module (this machine has no Go >= $go_minimum)"
  with_log go-toolchain download_go_toolchain
}

ensure_go() {
  local program
  if ! program=$(find_new_enough_go); then
    with_lock go obtain_go
    program=$(find_new_enough_go) ||
      fail "no Go >= $go_minimum" "install Go from your distribution's backports or as its own download, and put it on PATH"
  fi
  # A Debian Go may not switch toolchains by itself; a module that wants a newer patch release would fail then.
  export GOTOOLCHAIN=auto
  # what another Go's directory was set for
  if [ "$program" != "$(command -v go || true)" ]; then unset GOROOT; fi
  PATH="$(dirname "$program"):$PATH"
  # pinned programs still come first
  PATH="$cache/bin:$PATH"
}

# ------------------------------------------------------------------------------------------------- pinned Go programs

# pinned NAME: sets $version, $module, $package and $flags for the build of NAME
pinned() {
  flags='-s -w'
  case $1 in
    etcd) version=$etcd_version module=go.etcd.io/etcd/server/v3 package=$module ;;
    kind) version=$kind_version module=sigs.k8s.io/kind package=$module ;;
    kwok) version=$kwok_version module=sigs.k8s.io/kwok package=$module/cmd/kwok ;;
    prometheus) version=$prometheus_version module=github.com/prometheus/prometheus package=$module/cmd/prometheus ;;
    coredns) version=$coredns_version module=github.com/coredns/coredns package=$module ;;
    helm)
      version=$helm_version module=helm.sh/helm/v3 package=$module/cmd/helm
      flags+=" -X $module/internal/version.version=$version"
      ;;
    cni-ptp | cni-loopback) version=$cni_version module=github.com/containernetworking/plugins package=$module/plugins/main/${1#cni-} ;;
    cni-host-local) version=$cni_version module=github.com/containernetworking/plugins package=$module/plugins/ipam/host-local ;;
    cni-portmap) version=$cni_version module=github.com/containernetworking/plugins package=$module/plugins/meta/portmap ;;
    kube*)
      version=$kubernetes_version module=k8s.io/kubernetes package=$module/cmd/$1
      local minor=${version#v1.}
      flags+=" -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
      flags+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*} -X k8s.io/component-base/version.gitTreeState=clean"
      ;;
    *) fail "no pinned Go module for '$1'" "add it to pinned() in scripts/lib/tools.sh" ;;
  esac
}

# k8s.io/kubernetes names its staging modules by relative path, which means nothing outside its own tree; the same
# modules are published as v0.X, so the replacements are written out.
write_kubernetes_go_mod() { # VERSION
  local version=$1 published=v0.${1#v1.} theirs
  theirs=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  printf 'module tools\n\ngo 1.24\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$version"
  awk -v published="$published" '/=> \.\/staging/ { print "\t" $1 " => " $1 " " published }' "$theirs"
  printf ')\n'
}

compile_pinned() { # NAME: in the module's own directory, to a temporary name, so that a broken-off build leaves nothing
  local name=$1 version module package flags dir temporary
  pinned "$name"
  dir=$cache/build/$(printf '%s' "$module" | tr '/' '-')-$version
  temporary=$cache/bin/.$name.$BASHPID
  mkdir -p "$dir"
  cd "$dir" || return
  if [ ! -s go.mod ]; then
    if [ "$module" = k8s.io/kubernetes ]; then
      write_kubernetes_go_mod "$version" >go.mod.part
    else
      printf 'module tools\n\ngo 1.24\n\nrequire %s %s\n' "$module" "$version" >go.mod.part
      # Prometheus logs for the Kubernetes client through these, by a replacement that counts in its own tree only.
      if [ "$1" = prometheus ]; then
        printf 'replace k8s.io/klog => github.com/simonpasquier/klog-gokit v0.3.0\nreplace k8s.io/klog/v2 => github.com/simonpasquier/klog-gokit/v3 v3.4.0\n' >>go.mod.part
      fi
    fi
    mv go.mod.part go.mod
  fi
  # -v names each package as it is compiled: that is what the heartbeat shows.
  CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' go build -v -trimpath -ldflags "$flags" -o "$temporary" "$package"
  mv "$temporary" "$cache/bin/$name-$version"
  find "$cache/bin" -name ".$name.*" -mmin +120 -delete
}

build_pinned_unless_built() { # NAME
  local version module package flags began=$SECONDS
  pinned "$1"
  if [ -x "$cache/bin/$1-$version" ]; then return 0; fi
  step "building $1 $version from its Go module"
  with_log "build-$1" compile_pinned "$1"
  say "$1 built in $((SECONDS - began)) s"
}

# build_pinned NAME: the pinned version, whatever the machine has; several runs at once build it once.
build_pinned() {
  local version module package flags
  pinned "$1"
  if [ ! -x "$cache/bin/$1-$version" ]; then
    ensure_go
    # One lock for a whole module, since its builds share a go.mod.
    with_lock "build-$(printf '%s' "$module" | tr '/' '-')" build_pinned_unless_built "$1"
  fi
  point_at "$1" "$1-$version"
}

point_at() { # NAME TARGET: rename is atomic where ln -sf is not
  if [ "$(readlink "$cache/bin/$1" 2>/dev/null)" = "$2" ]; then return 0; fi
  ln -s "$2" "$cache/bin/.$1.link.$BASHPID"
  mv -T "$cache/bin/.$1.link.$BASHPID" "$cache/bin/$1"
}

# ------------------------------------------------------------------------------------------ the machine's own programs

# first program NAME on PATH outside of the cache
host_program() {
  local directory
  while IFS= read -r -d : directory; do
    if [ "$directory" != "$cache/bin" ] && [ -x "$directory/$1" ] && [ ! -d "$directory/$1" ]; then
      printf '%s\n' "$directory/$1"
      return 0
    fi
  done <<<"$PATH:"
  return 1
}

# The first thing that looks like a version in what the program says about itself.
program_version() { # PROGRAM
  local arguments=(--version)
  case ${1##*/} in
    kubectl) arguments=(version --client) ;;
    helm) arguments=(version --short) ;;
  esac
  timeout 10 "$1" "${arguments[@]}" 2>/dev/null | sed -n 's/.*[^0-9.]\([0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1
}

# use_or_build NAME MINIMUM [BELOW]: the pinned build when it is there, else the machine's own if its version is at
# least MINIMUM (and less than BELOW), else a build.
use_or_build() {
  local name=$1 minimum=$2 below=${3:-} found have version module package flags
  pinned "$name"
  if [ ! -x "$cache/bin/$name-$version" ] && found=$(host_program "$name"); then
    have=$(program_version "$found") || true
    if [ -n "$have" ] && version_at_least "$have" "$minimum" && { [ -z "$below" ] || ! version_at_least "$have" "$below"; }; then
      point_at "$name" "$found"
      return 0
    fi
    say "$found is ${have:-of an unknown version}, not from $minimum${below:+ up to $below}: building $name $version"
  fi
  build_pinned "$name"
}

ensure_kind() { use_or_build kind 0.27.0; }
ensure_helm() { use_or_build helm 3.14.0 4.0.0; }
ensure_kubectl() { use_or_build kubectl 1.30.0; }
ensure_etcd() { use_or_build etcd 3.5.0; }
ensure_kube_apiserver() { use_or_build kube-apiserver 1.31.0; }
# These two must be no newer than the API server, so they come from the same module.
ensure_kube_controller_manager() { build_pinned kube-controller-manager; }
ensure_kube_scheduler() { build_pinned kube-scheduler; }
ensure_kwok() { use_or_build kwok 0.7.0 0.8.0; }
ensure_prometheus() { use_or_build prometheus 2.33.0; }

# HTTPRoute's CRD as the Gateway API publishes it, for the tests that find it under SCALABLEAPP_TEST_GATEWAY_API.
ensure_gateway_api() {
  export SCALABLEAPP_TEST_GATEWAY_API=$cache/gateway-api-$gateway_api_version/httproutes.yaml
  if [ -s "$SCALABLEAPP_TEST_GATEWAY_API" ]; then return 0; fi
  ensure_go
  with_log gateway-api fetch_gateway_api
}

fetch_gateway_api() {
  local dir
  dir=$(cd "$cache/build" && GO111MODULE=on go mod download -json "sigs.k8s.io/gateway-api@$gateway_api_version" |
    sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  mkdir -p "${SCALABLEAPP_TEST_GATEWAY_API%/*}"
  cp "$dir/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml" "$SCALABLEAPP_TEST_GATEWAY_API.$BASHPID"
  chmod u+w "$SCALABLEAPP_TEST_GATEWAY_API.$BASHPID"
  mv "$SCALABLEAPP_TEST_GATEWAY_API.$BASHPID" "$SCALABLEAPP_TEST_GATEWAY_API"
}

# Kafka's broker as its jars, for the tests that find them under SCALABLEAPP_TEST_KAFKA. Optional: where Maven or Java
# cannot be had, or the jars cannot, the variable stays unset and those tests say that they are skipped.
ensure_kafka() {
  local jars=$cache/kafka-$kafka_version
  if [ ! -d "$jars" ]; then
    if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
      say "no Kafka: mvn and java are needed to fetch and to run it (Debian: maven default-jre-headless)"
      return 0
    fi
    logged kafka fetch_kafka "$jars"
    if [ "$logged_rc" != 0 ]; then
      say "no Kafka: its jars cannot be had, see $logged_file"
      return 0
    fi
  fi
  export SCALABLEAPP_TEST_KAFKA=$jars
}

fetch_kafka() { # DIRECTORY
  local dir=$cache/build/kafka-$kafka_version part=$1.$BASHPID
  mkdir -p "$dir"
  cat >"$dir/pom.xml" <<EOF
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.scalableapp</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$kafka_version</version>
    </dependency>
  </dependencies>
</project>
EOF
  rm -rf "$part"
  (cd "$dir" && timeout 300 mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part")
  # Whole or not at all; another run may have been first.
  mv -T "$part" "$1" || [ -d "$1" ]
}

# Debian's package redis-server would start a service. The same program is in redis-tools; it goes by the name it is
# called by.
ensure_redis_server() {
  if command -v redis-server >/dev/null; then return 0; fi
  need_command redis-check-rdb redis-tools
  point_at redis-server "$(host_program redis-check-rdb)"
}

# PostgreSQL's programs for the tests, which find them under SCALABLEAPP_TEST_POSTGRES_BIN. Debian's package would make a
# cluster and start a service, so where it is not installed already its files are unpacked into the cache.
ensure_postgres() {
  SCALABLEAPP_TEST_POSTGRES_BIN=$(postgres_programs "")
  if [ -z "$SCALABLEAPP_TEST_POSTGRES_BIN" ]; then
    with_lock postgres-programs unpack_postgres
    SCALABLEAPP_TEST_POSTGRES_BIN=$(postgres_programs "$cache/postgres-programs")
  fi
  export SCALABLEAPP_TEST_POSTGRES_BIN
}

postgres_programs() { # ROOT: the directory of the newest version that is whole; nothing if there is none
  local directory
  while IFS= read -r directory; do
    if [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ] && [ -x "$directory/pg_basebackup" ]; then
      printf '%s\n' "$directory"
      return 0
    fi
  done < <(find "$1/usr/lib/postgresql" -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -rV)
}

unpack_postgres() {
  local server libraries
  if [ -n "$(postgres_programs "$cache/postgres-programs")" ]; then return 0; fi
  command -v apt-get >/dev/null || fail "no PostgreSQL in /usr/lib/postgresql" "install PostgreSQL 14 or later"
  update_package_lists_once
  server=$(apt-cache depends postgresql | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p')
  [ -n "$server" ] || fail "the package postgresql names no version of its own" "install PostgreSQL 14 or later"
  # Not the compiler for long statements, which is larger than all the rest; the tests do not use it.
  mapfile -t libraries < <(apt-cache depends "$server" "${server/-/-client-}" |
    sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p' | grep -v '^libllvm' | sort -u)
  need_packages "${libraries[@]}"
  step "unpacking PostgreSQL ($server)"
  with_log unpack-postgres-programs download_postgres "$server" "${server/-/-client-}"
}

download_postgres() { # PACKAGE...
  local archive
  rm -rf "$cache/build/postgres-programs"
  mkdir -p "$cache/build/postgres-programs/root"
  cd "$cache/build/postgres-programs" || return
  # The unprivileged user that apt would rather be may not write here.
  apt-get -q -o APT::Sandbox::User="$(id -un)" download "$@"
  for archive in *.deb; do dpkg-deb -x "$archive" root; done
  rm -rf "$cache/postgres-programs"
  mv root "$cache/postgres-programs"
  rm -f ./*.deb
}

cni_plugins='ptp loopback host-local portmap'
ensure_cni() {
  local plugin
  for plugin in $cni_plugins; do build_pinned "cni-$plugin"; done
}

# what a node image built here holds; the two that tests need by themselves come first
ensure_node_programs() {
  local name
  for name in etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kubelet kube-proxy kubeadm coredns; do
    build_pinned "$name"
  done
  ensure_cni
}
