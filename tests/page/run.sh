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

. "$here/../npm.sh"

skip() {
    printf 'SKIPPED the page in a browser: %s\n[  SKIPPED ] 1 test(s)\n' "$1"
    exit 0
}

[ -x "$browser" ] || skip "there is no $browser"
need_node
npm_install "$here" "$build/page"
status=0
for check in check_first check check_many check_unknown check_report; do
    CHROMIUM=$browser node "$here/$check.mjs" "$build/vgg" "$build/page" || status=1
done
exit $status
