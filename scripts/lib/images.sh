# shellcheck shell=bash
# Container images: pulled where a registry answers, otherwise made from binaries and Debian packages, with the same
# tag either way. No Dockerfile and no builder: `docker import` takes a file tree on every Docker there is.
# For: image_from_binary, pull_or_build, ensure_prometheus_image, ensure_redis_image. Not for: the node image.

if [ -n "${SCALABLEAPP_IMAGES_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_IMAGES_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What the charts ask for; built here they have the same versions. Debian's own Prometheus is no choice: it is compiled
# without Kubernetes service discovery, so it cannot find a pod.
# shellcheck disable=SC2034 # for those who source this
prometheus_image=scalableapp/prometheus:2.53 prometheus_upstream=prom/prometheus:v2.53.4
# shellcheck disable=SC2034
redis_image=scalableapp/redis:7.0 redis_upstream=redis:7.0.15

inputs_label=scalableapp.inputs

# ------------------------------------------------------------------------------------------------------------ registry

# Asks at most once per run: the answer is exported, so that scripts started from this one know it too.
# SCALABLEAPP_REGISTRY=no says it beforehand.
registry_reachable() {
  if [ -z "${SCALABLEAPP_REGISTRY:-}" ]; then
    say "asking whether an image registry answers (up to 20 s)"
    if timeout 20 docker pull -q hello-world >/dev/null 2>&1; then
      export SCALABLEAPP_REGISTRY=yes
    else
      export SCALABLEAPP_REGISTRY=no
      say "no image registry answers: images are built here (SCALABLEAPP_REGISTRY=yes tries to pull them all the same)"
    fi
  fi
  [ "$SCALABLEAPP_REGISTRY" = yes ]
}

image_exists() { docker image inspect "$1" >/dev/null 2>&1; }

pull_as() { # UPSTREAM TAG
  docker pull "$1"
  docker tag "$1" "$2"
}

# A registry that answered may still refuse, or be too far away for something this large.
say_pull_failed() { # UPSTREAM
  say "pulling $1 failed (see $logged_file): it is made here instead; SCALABLEAPP_REGISTRY=no does so at once"
}

# pull_or_build UPSTREAM TAG BUILD_FUNCTION: afterwards TAG exists.
pull_or_build() {
  local upstream=$1 tag=$2 build=$3
  if image_exists "$tag"; then return 0; fi
  if registry_reachable; then
    step "pulling $upstream"
    logged "pull-${upstream//[^a-z0-9.]/-}" pull_as "$upstream" "$tag"
    if [ "$logged_rc" = 0 ]; then return 0; fi
    say_pull_failed "$upstream"
  fi
  "$build"
}

# ------------------------------------------------------------------------------------------- images made from binaries

# prints the files that the dynamic loader would map for BINARY, the loader itself among them; nothing if it is static
shared_libraries() { # BINARY [ROOT]: libraries are looked for below ROOT first
  local binary=$1 root=${2:-}
  if [ -n "$root" ]; then
    LD_LIBRARY_PATH=$(find "$root" -type d \( -path '*/lib/*-linux-gnu' -o -name lib \) -printf '%p:')
    export LD_LIBRARY_PATH
  fi
  { ldd "$binary" 2>/dev/null || true; } |
    awk '/=> \// { print $3; next } $1 ~ /^\// { print $1 } /not found/ { print "missing " $1 }' | sort -u
}

# copy_into STAGE SOURCE [DESTINATION]: follows links, so that a path holds what it would be read as
copy_into() {
  local stage=$1 source=$2 destination=${3:-$2}
  mkdir -p "$stage$(dirname "$destination")"
  cp -L --reflink=auto "$source" "$stage$destination"
}

stage_users_and_tmp() { # STAGE
  mkdir -p "$1/etc" "$1/tmp" "$1/home/nonroot"
  chmod 1777 "$1/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
}

import_stage() { # STAGE TAG ENTRYPOINT USER INPUTS
  # sorted and without times: the same files are the same layer
  tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c . |
    docker import --change "ENTRYPOINT [\"$3\"]" --change "USER $4" --change "WORKDIR /" \
      --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change "LABEL $inputs_label=$5" - "$2"
}

image_inputs() { docker image inspect -f "{{index .Config.Labels \"$inputs_label\"}}" "$1" 2>/dev/null || true; }

zoneinfo=/usr/share/zoneinfo
# Zones have capital letters; posix/ and right/ hold them all again, and the rest is tables and this machine's own zone.
zone_trees() { (cd "$zoneinfo" && LC_ALL=C find . -mindepth 1 -maxdepth 1 -name '[A-Z]*' -print0 | LC_ALL=C sort -z); }
time_zones_sum() { (cd "$zoneinfo" && zone_trees | tar --null -T - --sort=name --mtime=@0 --owner=0 --group=0 -c | sha256sum); }
copy_time_zones() { # STAGE
  mkdir -p "$1$zoneinfo"
  zone_trees | (cd "$zoneinfo" && xargs -0 cp -a -t "$1$zoneinfo")
}

# image_from_binary TAG BINARY [--entrypoint PATH] [--user UID] [--root DIR] [--ca-certificates] [--time-zones]
#                   [SOURCE:DESTINATION]...
# An image that holds BINARY (at PATH, /usr/local/bin/<its name> unless told), exactly the shared libraries it maps
# (looked for below DIR first), and the further files; user 65532 unless told. Nothing happens if TAG holds just that.
image_from_binary() {
  local tag=$1 binary=$2 entrypoint user=65532 root='' files=() source destination inputs stage library time_zones=''
  entrypoint=/usr/local/bin/$(basename "$binary")
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --entrypoint) entrypoint=$2 && shift ;;
      --user) user=$2 && shift ;;
      --root) root=$2 && shift ;;
      --ca-certificates)
        [ -f /etc/ssl/certs/ca-certificates.crt ] || need_packages ca-certificates
        files+=(/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt)
        ;;
      --time-zones)
        [ -d "$zoneinfo" ] || need_packages tzdata
        time_zones=$(time_zones_sum)
        ;;
      *:*) files+=("$1") ;;
      *) fail "image_from_binary: what is '$1'?" "further files are given as SOURCE:DESTINATION" ;;
    esac
    shift
  done
  [ -x "$binary" ] || fail "no program at $binary to make $tag from" "build it first"
  files+=("$binary:$entrypoint")
  while IFS= read -r library; do
    case $library in
      '') ;;
      missing*) fail "$binary needs the library ${library#missing }, which is not on this machine" "install the package that holds it" ;;
      "${root:-/nowhere}"/*) files+=("$library:${library#"$root"}") ;;
      *) files+=("$library:$library") ;;
    esac
  done < <(shared_libraries "$binary" "$root")

  inputs=$({
    printf '%s\n' "format 2" "$entrypoint" "$user" ${time_zones:+"$time_zones"}
    for source in "${files[@]}"; do
      printf '%s %s\n' "${source#*:}" "$(sha256sum <"${source%%:*}")"
    done
  } | sha256sum | cut -c 1-64)
  if [ "$(image_inputs "$tag")" = "$inputs" ]; then return 0; fi

  stage=$(mktemp -d "$cache/build/image.XXXXXX")
  for source in "${files[@]}"; do
    destination=${source#*:}
    copy_into "$stage" "${source%%:*}" "$destination"
  done
  if [ -n "$time_zones" ]; then copy_time_zones "$stage"; fi
  # Most of a program of ours is symbols; they stay in build/.
  if command -v strip >/dev/null; then strip --strip-unneeded "$stage$entrypoint"; fi
  chmod 755 "$stage$entrypoint"
  stage_users_and_tmp "$stage"
  with_log "image-${tag//[^a-z0-9.]/-}" import_stage "$stage" "$tag" "$entrypoint" "$user" "$inputs"
  rm -rf "$stage"
  say "image $tag ($(docker image inspect -f '{{.Size}}' "$tag" | awk '{ printf "%.0f MB", $1 / 1e6 }'))"
}

# ------------------------------------------------------------------------------------ images made from Debian packages

# unpack_packages ROOT PACKAGE...: their files below ROOT; nothing is installed and no service is started.
unpack_packages() {
  local root=$1 package archive
  shift
  mkdir -p "$root" "$cache/debs"
  for package in "$@"; do
    if [ -e "$root/.unpacked/$package" ]; then continue; fi
    archive=$(find "$cache/debs" -name "${package}_*.deb" | head -n 1)
    if [ -z "$archive" ]; then
      (
        cd "$cache/debs" || return
        # the unprivileged user that apt would rather be may not write here
        if [ "$(id -u)" = 0 ]; then apt-get -q -o APT::Sandbox::User=root download "$package"; else apt-get -q download "$package"; fi
      )
      archive=$(find "$cache/debs" -name "${package}_*.deb" | head -n 1)
    fi
    dpkg-deb -x "$archive" "$root"
    mkdir -p "$root/.unpacked"
    dpkg-deb -f "$archive" Depends >"$root/.unpacked/$package"
  done
}

# The packages of libraries that what is unpacked so far says it needs; the C library is the one the loader belongs to.
library_dependencies() { # ROOT
  cat "$1"/.unpacked/* | tr ',|' '\n' | sed 's/^[[:space:]]*//; s/[[:space:]:(].*$//' | grep '^lib' | grep -vx libc6 | sort -u
}

unpack_program() { # ROOT PROGRAM PACKAGE...: and the libraries that this machine lacks
  local root=$1 program=$2 rounds=0 packages
  shift 2
  command -v apt-get >/dev/null || fail "no registry answers and this machine has no Debian packages" "make a registry reachable"
  if [ ! -e "$root/.unpacked" ]; then update_package_lists_once; fi
  unpack_packages "$root" "$@"
  while shared_libraries "$root$program" "$root" | grep -q '^missing'; do
    rounds=$((rounds + 1))
    [ "$rounds" -le 4 ] || return 1
    mapfile -t packages < <(library_dependencies "$root")
    unpack_packages "$root" "${packages[@]}"
  done
}

build_prometheus_image() {
  step "making the Prometheus image from its Go module"
  build_pinned prometheus
  # by its full name: $cache/bin/prometheus may be the machine's own
  # shellcheck disable=SC2154 # of tools.sh
  image_from_binary "$prometheus_image" "$cache/bin/prometheus-$prometheus_version" --entrypoint /usr/local/bin/prometheus \
    --user 65534
}

build_redis_image() {
  local root=$cache/build/redis
  step "making the Redis image from its Debian package"
  # redis-server is a second name of a program in redis-tools
  with_log unpack-redis unpack_program "$root" /usr/bin/redis-check-rdb redis-tools
  image_from_binary "$redis_image" "$root/usr/bin/redis-check-rdb" --root "$root" --entrypoint /usr/local/bin/redis-server
}

ensure_prometheus_image() { pull_or_build "$prometheus_upstream" "$prometheus_image" build_prometheus_image; }
ensure_redis_image() { pull_or_build "$redis_upstream" "$redis_image" build_redis_image; }
