#!/bin/sh
# GET /openapi.json held against what the server does: tests/openapi/run.sh BUILD
#
# Without Node.js 18 or npm's packages it is skipped, and says so.
set -eu

build=$1
here=$(dirname "$0")

. "$here/../npm.sh"

skip() {
    printf 'SKIPPED /openapi.json against the server: %s\n[  SKIPPED ] 1 test(s)\n' "$1"
    exit 0
}

need_node
npm_install "$here" "$build/openapi"
exec node "$here/check.mjs" "$build/vgg" "$build/openapi"
