#!/usr/bin/env bash
# Installs the Debian packages that the tests need, where they are missing. On
# another system it says what is missing; the tests that need it will fail and
# say so too.
set -euo pipefail

# command or file -> package
needs=(
  curl:curl
  node:nodejs
  h2load:nghttp2-client
  npm:npm
  protoc:protobuf-compiler
  grpc_python_plugin:protobuf-compiler-grpc
  /usr/bin/chromium:chromium
  /usr/lib/python3/dist-packages/grpc:python3-grpcio
  /usr/lib/python3/dist-packages/jsonrpclib:python3-jsonrpclib-pelix
  /usr/lib/python3/dist-packages/jsonschema:python3-jsonschema
  gcc:gcc
  systemd-analyze:systemd
  script:bsdutils
  tmux:tmux
  nginx:nginx-light
  haproxy:haproxy
  tshark:tshark
)

missing=()
for need in "${needs[@]}"; do
  what=${need%%:*} package=${need#*:}
  if ! command -v "$what" >/dev/null 2>&1 && ! [ -e "$what" ]; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "debian.sh: missing on this machine: ${missing[*]} (named as in Debian); install them to run every test" >&2
  exit 0
fi
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
echo "debian.sh: installing ${missing[*]}" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
