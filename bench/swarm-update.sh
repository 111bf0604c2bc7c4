#!/usr/bin/env bash
# The same bad release by Docker's own service update with --update-failure-action rollback, on a single-node swarm,
# published in host mode (so the old task stops before the new one starts). To give it every chance its health check is
# the release's own checks, once a second: a check on `/` would stay green. Refuses an engine that is in a swarm already;
# leaves the swarm and removes everything at the end. Prints one line of JSON, for the table of rollback-times.sh.
#
#   bench/swarm-update.sh [PORT (18080)]
set -euo pipefail
cd "$(dirname "$0")/.."
port=${1:-18080} name=firedrill-bench
[ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ] || { echo "this engine is in a swarm already" >&2; exit 4; }
target=$(rustc -vV | sed -n 's/^host: //p')
flags="CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUSTFLAGS"
env "$flags=-C target-feature=+crt-static" cargo build --release --quiet --target "$target" -p shortener
cargo build --release --quiet -p firedrill-bench --bin write-probe
folder=$(mktemp -d)
clean() {
  docker service rm $name >/dev/null 2>&1 || true
  docker swarm leave --force >/dev/null 2>&1 || true
  # The tasks' containers go a moment after their service.
  for _ in $(seq 50); do docker volume rm $name >/dev/null 2>&1 && break || sleep 0.2; done
  docker rmi $name:v3 $name:v2 >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap clean EXIT
cp "target/$target/release/shortener" "$folder/"
for release in v3 v2; do
  printf '%s\n' 'FROM scratch' 'LABEL firedrill.image=1' 'COPY shortener /shortener' \
    "ENV SHORTENER_RELEASE=$release SHORTENER_LISTEN=0.0.0.0:8000 SHORTENER_STORE=/data SHORTENER_SECRET=bench TMPDIR=/data" \
    'HEALTHCHECK --interval=1s --timeout=2s --retries=3 CMD ["/shortener", "check"]' \
    'ENTRYPOINT ["/shortener", "serve"]' >"$folder/Dockerfile"
  docker build --quiet --tag $name:$release "$folder" >/dev/null 2>&1
done
docker swarm init --advertise-addr 127.0.0.1 >/dev/null
docker service create --quiet --name $name --publish "mode=host,published=$port,target=8000" --mount "type=volume,source=$name,target=/data" \
  --update-failure-action rollback --update-monitor 10s --update-order stop-first --no-resolve-image $name:v3 >/dev/null
curl --silent --fail --output /dev/null --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/readyz"
curl --silent --fail --output /dev/null --data 'code=first&url=https://example.org/' "http://127.0.0.1:$port/your-url"
target/release/write-probe "127.0.0.1:$port" --name docker-service-update --seconds 60 &
probe=$!
docker service update --quiet --detach --no-resolve-image --image $name:v2 $name >/dev/null
wait $probe
state=$(docker service inspect $name --format '{{.UpdateStatus.State}}: {{.UpdateStatus.Message}}')
[[ $state == rollback_completed* ]] || { echo "the update was not rolled back: $state" >&2; exit 1; }
