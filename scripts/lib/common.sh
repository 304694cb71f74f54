# shellcheck shell=bash
# What every script here shares: progress lines, failures that say what to do, a cache outside the checkout, locks,
# and Debian packages.
# For: `source`, from a script that has set -euo pipefail. Not for: anything about tools, images or clusters.
#
# Progress goes to stderr, so that stdout can carry an answer (a path, a version).

if [ -n "${SCALABLEAPP_COMMON_SOURCED:-}" ]; then return 0; fi
SCALABLEAPP_COMMON_SOURCED=yes

# shellcheck disable=SC2034 # for those who source this
scripts_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# for advice; a script that shifts its arguments away before this line sets it first
called_as=${called_as:-$0${*:+ $*}}
# Through sudo HOME is root's, so what is printed for the user to try must go through sudo as well; see through_sudo.
cache=${SCALABLEAPP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/scalableapp}
logs=$cache/logs
mkdir -p "$cache/bin" "$cache/build" "$cache/locks" "$logs"

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

step() { printf '[%4ds] == %s\n' "$SECONDS" "$*" >&2; }

# fail WHAT [ADVICE [LOG]]: ends the script. LOG's last lines are shown, with its path.
fail() {
  local what=$1 advice=${2:-} log=${3:-}
  printf '[%4ds] FAILED: %s\n' "$SECONDS" "$what" >&2
  if [ -n "$log" ] && [ -f "$log" ]; then
    printf '        last lines of %s:\n' "$log" >&2
    tail -n 15 "$log" | cut -c 1-300 | sed 's/^/          | /' >&2
  fi
  if [ -n "$advice" ]; then printf '        what to do: %s\n' "$advice" >&2; fi
  exit 1
}

through_sudo() { [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ]; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root: $*" "run it as root, or install sudo"
  fi
}

# heartbeat NAME LOG PARENT [PATTERN]: a line every 10 s for as long as PARENT lives; with_log's other half. Lines of LOG
# that match PATTERN are said as they come, the last of them on SIGTERM, and each puts off the next beat.
heartbeat() {
  local name=$1 log=$2 parent=$3 pattern=${4:-} ticks=0 quiet=0 said=0 line
  if [ -n "$pattern" ]; then trap 'say_matches; exit 0' TERM; fi
  while sleep 1 && kill -0 "$parent" 2>/dev/null; do
    ticks=$((ticks + 1)) quiet=$((quiet + 1))
    if [ -n "$pattern" ]; then say_matches; fi
    if [ "$quiet" -ge 10 ]; then
      quiet=0
      line=$(tail -c 2000 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-90) || true
      say "   ... $name, ${ticks}s: ${line:-(no output yet)}"
    fi
  done
}

say_matches() { # with heartbeat's variables
  while IFS= read -r line; do
    say "       $line"
    said=$((said + 1)) quiet=0
  done < <(grep -aE "$pattern" "$log" 2>/dev/null | tail -n "+$((said + 1))")
}

# logged NAME COMMAND...: runs COMMAND (a function will do) with its output in a file of its own, $logged_file, and leaves
# its exit code in $logged_rc. Never call it under `if`, `||` or `&&`: bash would then ignore errors inside COMMAND.
logged() {
  local name=$1 log pulse
  shift
  # $BASHPID keeps two runs at once out of each other's file; NAME.log is the latest run's.
  log=$logs/$name.$BASHPID.log
  ln -sfn "${log##*/}" "$logs/$name.log"
  find "$logs" -name "$name.*.log" ! -path "$log" -mmin +120 -delete 2>/dev/null || true
  heartbeat "$name" "$log" "$BASHPID" </dev/null 9>&- &
  pulse=$!
  # In the foreground, so that Ctrl-C reaches it.
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1
  logged_rc=$? logged_file=$log
  set -e
  kill "$pulse" 2>/dev/null || true
  wait "$pulse" 2>/dev/null || true
}

# with_log NAME COMMAND...: the same, and ends the script if COMMAND fails.
with_log() {
  logged "$@"
  if [ "$logged_rc" != 0 ]; then
    fail "$1 (exit $logged_rc)" "read the lines above; a second run goes on from what is already built" "$logged_file"
  fi
}

# with_lock NAME COMMAND...: one run at a time across processes. COMMAND runs in a subshell, so it hands nothing back
# but its exit code and what it leaves in files. A daemon started inside must close descriptor 9.
with_lock() {
  local name=$1 rc
  shift
  set +e
  (
    set -e
    if ! flock -n 9; then
      say "waiting for another run that holds '$name' (up to 30 min)"
      flock -w 1800 9 || fail "another run has held '$name' for 30 min" "look for it with: fuser -v $cache/locks/$name"
    fi
    "$@"
  ) 9>>"$cache/locks/$name"
  rc=$?
  set -e
  # The inner shell has said why already.
  if [ "$rc" != 0 ]; then exit "$rc"; fi
}

installed_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; }

# need_packages PACKAGE...: installs what is missing, and touches the network only then.
need_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || return 0
  for package in "$@"; do
    installed_package "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} = 0 ]; then return 0; fi
  step "installing Debian packages: ${missing[*]}"
  with_lock apt install_packages "${missing[@]}"
}

# need_command COMMAND PACKAGE: for programs that may well be there without their Debian package.
need_command() {
  if command -v "$1" >/dev/null; then return 0; fi
  need_packages "$2"
  command -v "$1" >/dev/null || fail "no '$1' on PATH" "install it (on Debian: the package $2) and run this again"
}

# A minimal Python has the command and not the modules.
need_python() {
  local modules='import csv, http.client, json, ssl, urllib.request'
  if python3 -c "$modules" 2>/dev/null; then return 0; fi
  need_packages python3
  python3 -c "$modules" || fail "python3 lacks a module of its standard library" "install the whole of Python 3"
}

# For scenarios, which are YAML.
need_python_yaml() {
  need_python
  if ! python3 -c 'import yaml' 2>/dev/null; then need_packages python3-yaml; fi
  python3 -c 'import yaml' || fail "python3 has no module yaml" "install it (on Debian: the package python3-yaml)"
}

update_package_lists_once() {
  local stamp=$cache/apt-updated
  if [ -n "$(find "$stamp" -mmin -60 2>/dev/null)" ] && ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then return 0; fi
  with_log apt-update as_root apt-get update -q
  touch "$stamp"
}

install_packages() {
  update_package_lists_once
  with_log apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@"
}

# version_at_least HAVE WANT: compares like sort -V, a leading v ignored.
version_at_least() {
  [ "$(printf '%s\n%s\n' "${2#v}" "${1#v}" | sort -V | head -n 1)" = "${2#v}" ]
}
