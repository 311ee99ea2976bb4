#!/usr/bin/env bash
# Compares the contracts with those of the last landed main: origin/main, or,
# where that is this very commit (a clone in CI), the commit before it.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$(git rev-parse -q --verify origin/main || true)
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse -q --verify HEAD~1 || true)
fi
if [ -z "$base" ] || ! git cat-file -e "$base:proto" 2>/dev/null; then
  echo "breaking.sh: no earlier contracts to compare with" >&2
  exit 0
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$base" proto buf.yaml | tar -x -C "$before"
mkdir -p "$before/.cache"
cp -R -L .cache/protovalidate "$before/.cache/protovalidate"
buf() { go tool -modfile=tools/go.mod buf "$@"; }
buf build "$before/proto" -o "$before/before.binpb"
buf build proto -o "$before/now.binpb"
buf breaking "$before/now.binpb" --against "$before/before.binpb" --exclude-imports \
  --config '{"version":"v2","breaking":{"use":["FILE"]}}'
