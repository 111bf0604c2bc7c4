#!/usr/bin/env bash
# How long the harness takes to build from nothing, debug and release, in a target folder of its own; and how many
# crates the lock file names.
#
#   bench/build-time.sh [PACKAGE]      the package is `firedrill` unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
package=${1:-firedrill}
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
TIMEFORMAT='%R %U %S'
cargo fetch --quiet
for profile in dev release; do
  spent=$({ time CARGO_TARGET_DIR=$target/$profile cargo build --quiet --offline --package "$package" --profile "$profile" >&2; } 2>&1 | tail -1)
  echo "$spent" | awk -v p="$profile" '{ printf "%-10s %7.1f s  (CPU %.1f s)\n", p, $1, $2 + $3 }'
done
printf '%-10s %7d crates in Cargo.lock\n' "" "$(grep -c '^name = ' Cargo.lock)"
printf '%-10s %7d crates in a build of %s\n' "" "$(cargo tree --package "$package" --edges normal,build --prefix none | sort -u | wc -l)" "$package"
