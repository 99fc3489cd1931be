#!/bin/sh
# The page in a headless Chromium.
#
#   tests/page/run.sh BUILD    CHROMIUM names another browser than /usr/bin/chromium
#
# Without a browser, Node.js 18 or npm's packages it is skipped, and says so.
set -eu

build=$1
here=$(dirname "$0")
browser=${CHROMIUM:-/usr/bin/chromium}

skip() {
    printf 'SKIPPED the page in a browser: %s\n[  SKIPPED ] 1 test(s)\n' "$1"
    exit 0
}

[ -x "$browser" ] || skip "there is no $browser"
command -v node >/dev/null && command -v npm >/dev/null || skip "there is no node or npm"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "node is older than 18"
if ! cmp -s "$here/package-lock.json" "$build/page/package-lock.json" || [ ! -d "$build/page/node_modules" ]; then
    mkdir -p "$build/page"
    cp "$here/package.json" "$build/page/"
    (cd "$build/page" && cp "$OLDPWD/$here/package-lock.json" . && npm ci --no-audit --no-fund) >&2 || {
        rm -f "$build/page/package-lock.json"
        skip "npm could not install its packages"
    }
fi
CHROMIUM=$browser exec node "$here/check.mjs" "$build/vgg" "$build/page"
