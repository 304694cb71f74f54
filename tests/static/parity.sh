#!/usr/bin/env bash
# docs/hpa-parity.md is what the table of cases writes.
set -uo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/check.sh
. tests/lib/check.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

up_to_date() {
  SCALABLEAPP_PARITY_TABLE=$scratch/table build/release/bin/scaling_test --gtest_filter='*HpaParity*' || return
  diff docs/hpa-parity.md "$scratch/table"
}
succeeds "docs/hpa-parity.md is what scaling_test writes" up_to_date
exit "$failed"
