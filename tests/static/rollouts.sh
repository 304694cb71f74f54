#!/usr/bin/env bash
# What the rollouts' judge makes of made-up runs, without a cluster; a line "ok NAME" for each, as count.sh counts them.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/static/rollouts_test.py
