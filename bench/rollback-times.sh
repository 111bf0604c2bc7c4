#!/usr/bin/env bash
# How long a rollback takes, and what users feel of it: the same bad release, guarded by the edge, deployed all at once and
# deployed again by an automatic check, and left to people (priced at 23 min). One drill at a time.
# Usage: bench/rollback-times.sh [REPEATS (50)] [TARGET (process)]. Docker's own service update: bench/swarm-update.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
repeats=${1:-50} target=${2:-process}
cargo build --release --quiet -p firedrill
cargo build --release --quiet -p firedrill-bench --bin rollback-times
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
# Exit code 1 says that a drill breached what it states: it is in the table all the same.
target/release/firedrill run --json --jobs 1 --target "$target" --repeat "$repeats" --runs "$runs" \
  scenarios/guarded-wrong-json-loader.toml scenarios/wrong-json-loader-redeployed.toml scenarios/wrong-json-loader.toml \
  2>"$runs/said" >"$runs/events" || code=$?
[ "${code:-0}" -le 3 ] || { cat "$runs/said" >&2; exit "$code"; }
target/release/rollback-times <"$runs/events"
