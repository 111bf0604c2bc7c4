#!/usr/bin/env bash
# What the edge costs beside nginx: builds everything in release mode, then measures. Needs nginx (apt-get install nginx-light).
# Arguments go to the program: --seconds 5 --rounds 5 --connections 32 --rate 1000
set -euo pipefail
cd "$(dirname "$0")/.."
command -v nginx >/dev/null || { echo "nginx is not installed: apt-get install nginx-light" >&2; exit 4; }
target=$(rustc -vV | sed -n 's/^host: //p')
flags="CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUSTFLAGS"
# The same static binaries as in drills, in the same place, so that nothing is built twice.
env "$flags=-C target-feature=+crt-static" cargo build --release --quiet --target "$target" -p shortener -p edge
cargo build --release --quiet -p firedrill-bench --bin edge-cost
exec target/release/edge-cost --shortener "target/$target/release/shortener" --edge "target/$target/release/edge" "$@"
