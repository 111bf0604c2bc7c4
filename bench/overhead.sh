#!/usr/bin/env bash
# What a drill adds to its own steps: kill and restart a service in a container with `firedrill run`, and the same
# steps with the `docker` command line, in turn. Target: at most 0.5 s beyond those steps and the declared windows.
#
#   bench/overhead.sh [REPEATS]        needs a Docker engine; builds what is missing first
set -euo pipefail
cd "$(dirname "$0")/.."
repeats=${1:-5}
cargo build --release --package firedrill --bin firedrill
harness=target/release/firedrill
runs=$(mktemp -d)
name=firedrill-overhead-$$
trap 'docker rm -f "$name" >/dev/null 2>&1 || true; docker network rm "$name" >/dev/null 2>&1 || true; rm -rf "$runs"' EXIT

# scenarios/killed-v3.toml declares: steady 0.5 s, the kill at 0.2 s for 0.5 s, quiet 1 s.
windows=2.2

seconds() { date +%s.%N; }
drill() { "$harness" run killed-v3 --backend docker --runs "$runs" >"$runs/out" 2>&1 || { cat "$runs/out"; exit 1; }; }
drill # builds the service and its image

binary=$(find target -path '*-linux-*/release/shortener' -type f | head -1)
[ -n "$binary" ] || { echo "no statically linked shortener under target/"; exit 1; }
context=$runs/context
mkdir "$context"
install -m 755 "$binary" "$context/shortener"
printf 'FROM scratch\nCOPY shortener /shortener\nENTRYPOINT ["/shortener"]\n' >"$context/Dockerfile"

port=$((20000 + $$ % 10000))
answers() { until curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"; do :; done; }
users() { while :; do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || true; sleep 0.01; done; }
by_hand() {
  local image store
  image=$(DOCKER_BUILDKIT=0 docker build -q "$context" 2>/dev/null) # the old builder is in every engine
  store=$(mktemp -d "$runs/store.XXXX")
  docker network create "$name" >/dev/null
  docker run -d --name "$name" --network "$name" --user "$(id -u):$(id -g)" -p "127.0.0.1:$port:8000" -v "$store:/data" \
    -e SHORTENER_RELEASE=v3 -e SHORTENER_LISTEN=0.0.0.0:8000 -e SHORTENER_STORE=/data -e SHORTENER_SECRET=x "$image" serve >/dev/null
  answers
  # As in the drill, users ask meanwhile: an engine is slower to bring back a port that is asked for all the time.
  users & asking=$!
  docker kill -s KILL "$name" >/dev/null
  docker start "$name" >/dev/null
  answers
  kill "$asking"; wait "$asking" 2>/dev/null || true
  docker logs "$name" >/dev/null 2>&1
  docker rm -f "$name" >/dev/null
  docker network rm "$name" >/dev/null
}
by_hand # warm

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
: >"$runs/drills"
: >"$runs/hands"
for _ in $(seq "$repeats"); do
  from=$(seconds); drill; echo "$(seconds) $from" | awk '{ print $1 - $2 }' >>"$runs/drills"
  from=$(seconds); by_hand; echo "$(seconds) $from" | awk '{ print $1 - $2 }' >>"$runs/hands"
done
awk -v drill="$(median <"$runs/drills")" -v hand="$(median <"$runs/hands")" -v windows="$windows" -v n="$repeats" 'BEGIN {
  over = drill - hand - windows
  printf "firedrill run               %6.2f s  median of %d\n", drill, n
  printf "the steps by docker         %6.2f s\n", hand
  printf "declared windows            %6.2f s\n", windows
  printf "beyond both                 %6.2f s  ≤ 0.50 s  %s\n", over, over <= 0.5 ? "ok" : "NOT"
  exit over > 0.5
}'
