#!/usr/bin/env bash
# Fuzzes every parser of what comes from outside, with as many inputs each as the
# first argument says (100000). There is no list of them: each func Fuzz... is one.
# An input that fails is kept in the testdata/fuzz of its package, where `go test`
# tries it again. It is a number and no time, for Go's fuzzer may take the end of its
# time for a failure.
#
# Our own packages are instrumented, and the parsers by which PromQL, XML and YAML are
# read. `go test -fuzz` instruments all that is linked in: for PromQL that takes
# minutes to compile, and has the fuzzer look for new paths through the database.
set -euo pipefail
cd "$(dirname "$0")/.."
amount=${1:-100000}x
work=$PWD/.cache/fuzz # inputs that were found to be interesting stay there
mkdir -p "$work"

instrument=()
for packages in github.com/vitals-rpc/vitals/... github.com/prometheus/prometheus/promql/parser/... encoding/xml go.yaml.in/yaml/...; do
  instrument+=("-gcflags=$packages=-d=libfuzzer")
done

go list -f '{{if .TestGoFiles}}{{.Dir}}{{else if .XTestGoFiles}}{{.Dir}}{{end}}' ./... | while read -r dir; do
  grep -qs '^func Fuzz' "$dir"/*_test.go || continue
  package=${dir#"$PWD"/}
  binary=$work/${package//\//-}.test
  go test -c -o "$binary" "${instrument[@]}" "$dir"
  for target in $(cd "$dir" && "$binary" -test.list '^Fuzz'); do
    if ! said=$(cd "$dir" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$amount" \
      -test.fuzzminimizetime 1x -test.fuzzcachedir "$work/$package" 2>&1); then
      printf '%s %s failed:\n%s\n' "$package" "$target" "$said" >&2
      exit 1
    fi
    echo "$package $target $(grep -o 'elapsed.*' <<<"$said" | tail -n 1)"
  done
done
