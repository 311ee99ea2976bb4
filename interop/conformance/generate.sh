#!/usr/bin/env bash
# Generates gen/ from the .proto files of the conformance suite's module, without
# their comments; the suite's own generated package is internal.
set -euo pipefail
cd "$(dirname "$0")"
buf() { go tool -modfile=../../tools/go.mod buf "$@"; }
protos=$(go list -m -f '{{.Dir}}' connectrpc.com/conformance)/proto
image=$(mktemp --suffix=.binpb)
trap 'rm -f "$image"' EXIT
paths=()
for name in config server_compat service; do
  paths+=(--path "$protos/connectrpc/conformance/v1/$name.proto")
done
buf build "$protos" --exclude-source-info -o "$image" "${paths[@]}"
buf generate "$image"
