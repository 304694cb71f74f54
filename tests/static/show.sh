#!/usr/bin/env bash
# What the demo's show makes of what it saw, without a cluster; a line "ok NAME" for each, as count.sh counts them.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/static/show_test.py
