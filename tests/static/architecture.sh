#!/usr/bin/env bash
# The rules of the house that grep can check.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
check() { # NAME LINES-THAT-SHOULD-NOT-BE
  if [ -z "$2" ]; then echo "ok $1"; else echo "not ok $1"; printf '%s\n' "$2"; failed=1; fi
}
sources() { grep -rnE "$1" --include='*.h' --include='*.cc' "${@:2}" || true; }

check "only platform/clock.cc of the operator asks the machine for the time" \
  "$(sources '(system_clock|steady_clock|high_resolution_clock)::now\(' operator | grep -v '^operator/platform/clock.cc' || true)"
check "only one file of the operator includes cpprest" \
  "$(sources '#include <(cpprest|pplx)/' operator | grep -v '^operator/kube/cpprest_transport.cc' || true)"
check "json stays out of headers, but for the api library's private one" \
  "$(sources '#include <nlohmann/json.hpp>' operator workload | grep '\.h:' | grep -v '^operator/api/json_fields.h' || true)"
check "scaling and rollout include only base, api and themselves" \
  "$(sources '#include "operator/' operator/scaling operator/rollout | grep -vE '"operator/(base|api|scaling|rollout)/' || true)"
check "simulation includes only base, api, scaling, rollout and itself" \
  "$(sources '#include "operator/' operator/simulation | grep -vE '"operator/(base|api|scaling|rollout|simulation)/' || true)"
check "scaling, rollout and simulation know no IO and no threads" \
  "$(sources '#include <(thread|mutex|fstream|iostream|condition_variable|future|spdlog.*|cpprest.*|civetweb.*|CivetServer.h)>' operator/scaling operator/rollout operator/simulation)"
check "tests do not sleep" \
  "$(sources 'this_thread::sleep|usleep\(|[^_]sleep\([0-9]' operator workload | grep '_test.cc:' || true)"
exit $failed
