# shellcheck shell=bash
# A Docker daemon: the one that runs already, else one of our own, started detached with everything it keeps under
# $cache/docker.
# For: need_docker_rights at once, ensure_docker before anything that says `docker`; stop_docker_if_ours at the very end,
# if at all.
# Not for: changing a daemon that somebody else runs.

if [ -n "${SCALABLEAPP_DOCKER_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_DOCKER_SOURCED=yes
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

docker_dir=$cache/docker
docker_pid_file=$docker_dir/dockerd.pid
docker_log=$logs/dockerd.log
# kind's default ranges; see keep_cluster_ranges_in
cluster_ranges='10.96.0.0/12 10.244.0.0/16'

docker_answers() { timeout 20 docker info >/dev/null 2>&1; }

# prints the pid of our own daemon if it runs; after a reboot the number in the file may be anybody's
our_docker_pid() {
  local pid
  pid=$(cat "$docker_pid_file" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "--data-root=$docker_dir/data" || return 1
  printf '%s\n' "$pid"
}

root_has_sys_resource() {
  local bounding
  bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
  [ $(((0x$bounding >> 24) & 1)) = 1 ]
}

write_daemon_config() {
  if root_has_sys_resource; then
    printf '{"log-driver": "json-file", "log-opts": {"max-size": "20m", "max-file": "2"}}\n'
  else
    need_packages jq
    printf '{"log-driver": "json-file", "log-opts": {"max-size": "20m", "max-file": "2"},\n'
    printf ' "default-runtime": "reduced", "runtimes": {"reduced": {"path": "%s"}}}\n' \
      "$scripts_dir/lib/runc-without-sys-resource"
  fi
}

# dockerd falls back to vfs, which copies every layer, where overlay cannot be stacked on what the directory is on.
refuse_slow_storage() {
  local driver
  driver=$(docker info -f '{{.Driver}}')
  case $driver in
    vfs) fail "the Docker daemon stores images with '$driver', which copies every layer and is far too slow" \
      "set SCALABLEAPP_CACHE to a directory on ext4 or xfs, and run this again" ;;
    *) say "docker stores images with $driver" ;;
  esac
}

# A packet to a service or pod address that no rule translates (kube-proxy still starting, say) must not leave this
# machine: something out there may answer, and the connection then stays with the wrong peer. Refused rather than
# dropped, so that the client tries again at once instead of after its time-out (CoreDNS would be Ready 30 s later).
keep_cluster_ranges_in() {
  local range
  for range in $cluster_ranges; do
    iptables -C DOCKER-USER -d "$range" -j REJECT 2>/dev/null || iptables -I DOCKER-USER -d "$range" -j REJECT
  done
}

# Any dockerd of this machine, in a container or not.
a_daemon_runs() { grep -qsx dockerd /proc/[0-9]*/comm; }

# What a daemon that has ended leaves in the machine's network. docker0 goes only if it was not there before ours, has
# nothing attached, and no other daemon can be using it.
tidy_network() {
  local range rule
  for range in $cluster_ranges; do
    while read -r rule; do
      # shellcheck disable=SC2086 # words
      iptables -D $rule
    done < <(iptables -S DOCKER-USER 2>/dev/null | grep -F -- " -d $range " | sed 's/^-A //')
  done
  if [ -e "$docker_dir/made-docker0" ] && [ -z "$(ls /sys/class/net/docker0/brif 2>/dev/null)" ] && ! a_daemon_runs; then
    ip link delete docker0 2>/dev/null || true
    rm -f "$docker_dir/made-docker0"
  fi
}

start_our_docker() {
  if docker_answers; then return 0; fi
  local waited=0 pid
  step "starting a Docker daemon (data in $docker_dir, log in $docker_log)"
  mkdir -p "$docker_dir"
  our_docker_pid >/dev/null || rm -f "$docker_pid_file"
  [ -e /sys/class/net/docker0 ] || : >"$docker_dir/made-docker0"
  write_daemon_config >"$docker_dir/daemon.json"
  # In a session of its own and with no pipe of ours open, or whoever waits for our output waits for it too.
  setsid nohup dockerd --config-file="$docker_dir/daemon.json" --data-root="$docker_dir/data" \
    --exec-root=/run/scalableapp-docker --pidfile="$docker_pid_file" </dev/null >>"$docker_log" 2>&1 9>&- &
  pid=$!
  until docker_answers; do
    kill -0 "$pid" 2>/dev/null || fail "the Docker daemon ended" \
      "without root, or without the right to mount and to make namespaces, use a machine that has Docker" "$docker_log"
    [ "$waited" -lt 120 ] || fail "the Docker daemon does not answer after 60 s" "see its log" "$docker_log"
    waited=$((waited + 1))
    sleep 0.5
  done
  keep_cluster_ranges_in
  refuse_slow_storage
}

docker_is_there() { command -v docker >/dev/null && docker_answers; }

# As far as that can be told without asking for a password.
only_root_may_use_docker() {
  { timeout 20 docker info 2>&1 || true; } | grep -i 'permission denied' >/dev/null || timeout 20 sudo -n docker info >/dev/null 2>&1
}

# Only root can start a daemon, or use one that is not open to this user. Costs nothing, so it comes before any build.
need_docker_rights() {
  if [ "$(id -u)" = 0 ] || docker_is_there; then return 0; fi
  if ! command -v docker >/dev/null; then
    fail "there is no Docker here, and only root may install and start it" "run: sudo $called_as"
  fi
  if only_root_may_use_docker; then
    fail "Docker does not answer $(id -un), only root" \
      "run: sudo $called_as   (or: sudo usermod -aG docker $(id -un), log in again, and run it as you did)"
  fi
  fail "no Docker daemon answers" "start Docker and see that 'docker info' works for you, or run: sudo $called_as"
}

ensure_docker() {
  if docker_is_there; then
    # after a restart of the machine's firewall the rules may be gone
    if our_docker_pid >/dev/null; then keep_cluster_ranges_in; fi
    return 0
  fi
  need_docker_rights
  # docker.io alone would recommend what a container cannot run; these are what dockerd needs.
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    need_packages docker.io containerd runc iptables iproute2
    # where there is a service manager the package has just started the daemon
    sleep 2
    if docker_answers; then return 0; fi
  fi
  with_lock docker start_our_docker
}

# For taking things away: ours is started again for that, but no first one.
ensure_docker_of_before() {
  if [ "$(id -u)" = 0 ] && [ ! -d "$docker_dir/data" ] && ! docker_is_there; then
    fail "no Docker daemon answers, so nobody can tell what it holds" "start it (systemctl start docker), then run: $called_as"
  fi
  ensure_docker
}

stop_docker_if_ours() {
  local pid waited=0
  if ! pid=$(our_docker_pid); then
    say "no Docker daemon of ours runs"
    return 0
  fi
  if [ -n "$(docker ps -q)" ]; then
    say "our Docker daemon stays up: it runs other containers"
    return 0
  fi
  step "stopping our Docker daemon (pid $pid); its images stay in $docker_dir"
  # kind's network is a bridge of the machine; kind makes it anew
  if [ -z "$(docker ps -aq)" ]; then docker network rm kind >/dev/null 2>&1 || true; fi
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    [ "$waited" -lt 120 ] || fail "our Docker daemon (pid $pid) does not end" "see its log, then: kill -9 $pid" "$docker_log"
    waited=$((waited + 1))
    sleep 0.5
  done
  tidy_network
}
