#!/usr/bin/env bash
# How long a rollback takes, and what users feel of it, in one table: the same bad release guarded by the edge (200 requests
# a second, 10 % of them writes; a good release too), updated by Docker's own service update with a rollback, deployed all at once and deployed
# again by an automatic check, and left to people (priced at 23 min). One drill at a time; about 20 s for each repeat.
#
#   bench/rollback-times.sh [REPEATS (50)] [BACKEND ...]     backends: process, docker; both where an engine answers
#
# The others take a tenth of the repeats, at least three: they differ by seconds. Needs nothing but cargo; containers and
# the swarm where there is an engine.
set -euo pipefail
cd "$(dirname "$0")/.."
repeats=${1:-50}
shift || true
engine() { docker info >/dev/null 2>&1; }
[ $# -gt 0 ] || { set -- process; ! engine || set -- process docker; }
cargo build --release --quiet -p firedrill
cargo build --release --quiet -p firedrill-bench --bin rollback-times
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
drills() {
  local code=0
  # 1: a drill was breached. 3: it could say nothing. Both are in the table.
  target/release/firedrill run --json --jobs 1 --runs "$runs" "$@" 2>"$runs/said" >>"$runs/events" || code=$?
  [ "$code" -le 3 ] && [ "$code" -ne 2 ] || { cat "$runs/said" >&2; exit "$code"; }
}
others=$(((repeats + 9) / 10))
[ "$others" -ge 3 ] || others=3
for backend in "$@"; do
  drills --backend "$backend" --repeat "$repeats" scenarios/guarded-wrong-json-loader.toml scenarios/release-good.toml
  drills --backend "$backend" --repeat "$others" scenarios/wrong-json-loader-redeployed.toml scenarios/wrong-json-loader.toml
done
if ! engine; then
  echo "docker service update: left out, no engine answers" >&2
elif ! bench/swarm-update.sh >>"$runs/events"; then
  echo "docker service update: left out, see above" >&2
fi
target/release/rollback-times <"$runs/events"
