#!/bin/sh
# GET /openapi.json held against what the server does: tests/openapi/run.sh BUILD
#
# Without Node.js 18 or npm's packages it is skipped, and says so.
set -eu

build=$1
here=$(dirname "$0")

skip() {
    printf 'SKIPPED /openapi.json against the server: %s\n[  SKIPPED ] 1 test(s)\n' "$1"
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || skip "there is no node or npm"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "node is older than 18"
if ! cmp -s "$here/package-lock.json" "$build/openapi/package-lock.json" || [ ! -d "$build/openapi/node_modules" ]; then
    mkdir -p "$build/openapi"
    cp "$here/package.json" "$build/openapi/"
    (cd "$build/openapi" && cp "$OLDPWD/$here/package-lock.json" . && npm ci --no-audit --no-fund) >&2 || {
        rm -f "$build/openapi/package-lock.json"
        skip "npm could not install its packages"
    }
fi
exec node "$here/check.mjs" "$build/vgg" "$build/openapi"
