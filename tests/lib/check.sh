# shellcheck shell=bash
# What the checks written in shell share: a line "ok NAME" or "not ok NAME" for each, as count.sh counts them, and
# $failed for the exit code.
failed=0

verdict() { # NAME RC [OUTPUT]
  if [ "$2" = 0 ]; then echo "ok $1"; else printf 'not ok %s\n%s\n' "$1" "${3:-}"; failed=1; fi
}

succeeds() { # NAME COMMAND...
  local name=$1 output rc=0
  shift
  output=$("$@" 2>&1) || rc=$?
  verdict "$name" "$rc" "$output"
}
