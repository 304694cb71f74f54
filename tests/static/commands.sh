#!/usr/bin/env bash
# What the commands say to what they cannot do, before they do anything.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
SCALABLEAPP_CACHE=$(mktemp -d)
export SCALABLEAPP_CACHE
trap 'rm -rf "$SCALABLEAPP_CACHE"' EXIT
unset KUBECONFIG

refused() { # NAME EXIT-CODE TEXT COMMAND...
  local name=$1 code=$2 text=$3 output rc=0
  shift 3
  output=$("$@" 2>&1) || rc=$?
  [ "$rc" = "$code" ] && grep -qF -- "$text" <<<"$output"
  verdict "$name" $? "wanted $code and [$text], got $rc and: $output"
}
without_docker() { # as a user who is not root; COMMAND...
  bash -c 'set -euo pipefail
    called_as="./demo --short"
    . scripts/lib/docker.sh
    id() { echo 1000; }
    docker_is_there() { return 1; }
    '"$1"'
    need_docker_rights'
}

refused "a rate that the rollout triples beyond the generator's is refused" 2 "--rate 1667: at most 1666" ./demo --rate 1667
refused "a spike beyond the generator's is refused" 2 "--spike 5001: at most 5000" ./demo --spike 5001
refused "a spike that is none is refused" 2 "--rate 40 --spike 40:" ./demo --spike 40
refused "a cluster's name is checked by ./demo" 1 "'Web_1' cannot be a cluster's name" ./demo --down --name Web_1
refused "and by scripts/load" 1 "'Web_1' cannot be a cluster's name" scripts/load --name Web_1 stop
refused "scripts/load says how to get a cluster" 1 "run ./demo --up --name other first" scripts/load --name other 40:1s
refused "a cluster of no node is refused" 1 "--nodes 0: must be a number from 1 to 9" scripts/cluster up --nodes 0
refused "only up makes nodes" 1 "'scripts/cluster down' takes no --nodes" scripts/cluster down --nodes 2
refused "scripts/rollouts names its scenarios" 2 "scripts/rollouts SCENARIO" scripts/rollouts everything
refused "each of several" 2 "scripts/rollouts SCENARIO" scripts/rollouts rolling everything --name other
refused "and says how to get a cluster" 1 "run ./demo --up --name other first" scripts/rollouts all --name other
refused "who may not use Docker is told what to run" 1 "run: sudo ./demo --short" \
  without_docker 'docker() { echo "permission denied" >&2; return 1; }; timeout() { shift; "$@"; }'
refused "who has no Docker and is not root as well" 1 "run: sudo ./demo --short" without_docker 'command() { return 1; }'
exit "$failed"
