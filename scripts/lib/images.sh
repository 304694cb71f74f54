# shellcheck shell=bash
# Container images: pulled where a registry answers, otherwise made from binaries and Debian packages, with the same
# tag either way. No Dockerfile and no builder: `docker import` takes a file tree on every Docker there is.
# For: image_from_binary, pull_or_build, ensure_NAME_image of what the charts ask for. Not for: the node image.

if [ -n "${SCALABLEAPP_IMAGES_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_IMAGES_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source-path=SCRIPTDIR source=packages.sh
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# What the charts ask for; built here they have the same versions. Debian's own Prometheus is no choice: it is compiled
# without Kubernetes service discovery, so it cannot find a pod.
# shellcheck disable=SC2034 # for those who source this
prometheus_image=scalableapp/prometheus:2.53 prometheus_upstream=prom/prometheus:v2.53.4
# shellcheck disable=SC2034
redis_image=scalableapp/redis:7.0 redis_upstream=redis:7.0.15
# shellcheck disable=SC2034
nginx_image=scalableapp/nginx:1.22 nginx_upstream=nginx:1.22.1
# shellcheck disable=SC2034
postgres_image=scalableapp/postgres:15 postgres_upstream=postgres:15-bookworm

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

# copy_into STAGE SOURCE [DESTINATION]: follows links, so that a path holds what it would be read as
copy_into() {
  local stage=$1 source=$2 destination=${3:-$2}
  mkdir -p "$stage$(dirname "$destination")"
  cp -L --reflink=auto "$source" "$stage$destination"
}

stage_users_and_tmp() { # STAGE [NAME:UID]: of a further user, with a group of the same name and number
  local account=${2:-}
  local name=${account%:*} id=${account#*:}
  mkdir -p "$1/etc" "$1/tmp" "$1/home/nonroot"
  chmod 1777 "$1/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  if [ -n "$name" ]; then
    printf '%s:x:%s:%s:%s:/tmp:/sbin/nologin\n' "$name" "$id" "$id" "$name" >>"$1/etc/passwd"
    printf '%s:x:%s:\n' "$name" "$id" >>"$1/etc/group"
  fi
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

tree_sum() { tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 -c . | sha256sum | cut -c 1-64; } # DIR

# image_from_binary TAG BINARY [--entrypoint PATH] [--user UID] [--account NAME:UID] [--root DIR] [--ca-certificates]
#                   [--time-zones] [--program SOURCE:DESTINATION]... [--tree SOURCE:DESTINATION]... [SOURCE:DESTINATION]...
# An image that holds BINARY (at PATH, /usr/local/bin/<its name> unless told) and the further programs, exactly the shared
# libraries they map (looked for below DIR first), and the further directories and files; user 65532 unless told, and a
# further one in /etc/passwd. Nothing happens if TAG holds just that.
image_from_binary() {
  local tag=$1 binary=$2 entrypoint user=65532 account='' root='' files=() programs=("$2") trees=() source destination
  local inputs stage program library time_zones=''
  entrypoint=/usr/local/bin/$(basename "$binary")
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --entrypoint) entrypoint=$2 && shift ;;
      --user) user=$2 && shift ;;
      --account) account=$2 && shift ;;
      --root) root=$2 && shift ;;
      --program) programs+=("${2%%:*}") && files+=("$2") && shift ;;
      --tree) trees+=("$2") && shift ;;
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
      missing*) fail "$tag needs the library ${library#missing }, which is not on this machine" "install the package that holds it" ;;
      "${root:-/nowhere}"/*) files+=("$library:${library#"$root"}") ;;
      *) files+=("$library:$library") ;;
    esac
  done < <(for program in "${programs[@]}"; do shared_libraries "$program" "$root"; done | sort -u)

  inputs=$({
    printf '%s\n' "format 2" "$entrypoint" "$user" ${time_zones:+"$time_zones"} ${account:+"$account"}
    for source in "${trees[@]}"; do printf '%s %s\n' "${source#*:}" "$(tree_sum "${source%%:*}")"; done
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
  for source in "${trees[@]}"; do
    mkdir -p "$stage${source#*:}"
    cp -RL "${source%%:*}/." "$stage${source#*:}/"
  done
  if [ -n "$time_zones" ]; then copy_time_zones "$stage"; fi
  # Most of a program of ours is symbols; they stay in build/.
  if command -v strip >/dev/null; then strip --strip-unneeded "$stage$entrypoint"; fi
  chmod 755 "$stage$entrypoint"
  stage_users_and_tmp "$stage" "$account"
  with_log "image-${tag//[^a-z0-9.]/-}" import_stage "$stage" "$tag" "$entrypoint" "$user" "$inputs"
  rm -rf "$stage"
  say "image $tag ($(docker image inspect -f '{{.Size}}' "$tag" | awk '{ printf "%.0f MB", $1 / 1e6 }'))"
}

# ------------------------------------------------------------------------------------ images made from Debian packages

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

build_nginx_image() {
  local root=$cache/build/nginx
  step "making the nginx image from its Debian package"
  with_log unpack-nginx unpack_program "$root" /usr/sbin/nginx nginx
  image_from_binary "$nginx_image" "$root/usr/sbin/nginx" --root "$root" --entrypoint /usr/sbin/nginx
}

# Beside the server: what the chart's start script calls, which needs a shell, and what it loads by itself. The published
# image has the same paths and the same user.
build_postgres_image() {
  local root=$cache/build/postgres name programs=() bin=/usr/lib/postgresql/15/bin lib=/usr/lib/postgresql/15/lib
  step "making the PostgreSQL image from its Debian packages"
  with_log unpack-postgres unpack_program "$root" $bin/postgres postgresql-15 postgresql-client-15 libpq5
  for name in initdb pg_basebackup pg_controldata pg_isready psql; do programs+=(--program "$root$bin/$name:$bin/$name"); done
  for name in plpgsql dict_snowball libpqwalreceiver pg_stat_statements; do
    programs+=(--program "$root$lib/$name.so:$lib/$name.so")
  done
  programs+=(--program /bin/dash:/bin/sh)
  for name in cat chown ls mv rm sleep; do programs+=(--program "/bin/$name:/bin/$name"); done
  image_from_binary "$postgres_image" "$root$bin/postgres" --root "$root" --entrypoint $bin/postgres --user 999 \
    --account postgres:999 --time-zones --tree "$root/usr/share/postgresql/15:/usr/share/postgresql/15" "${programs[@]}"
}

ensure_prometheus_image() { pull_or_build "$prometheus_upstream" "$prometheus_image" build_prometheus_image; }
ensure_redis_image() { pull_or_build "$redis_upstream" "$redis_image" build_redis_image; }
ensure_nginx_image() { pull_or_build "$nginx_upstream" "$nginx_image" build_nginx_image; }
ensure_postgres_image() { pull_or_build "$postgres_upstream" "$postgres_image" build_postgres_image; }
