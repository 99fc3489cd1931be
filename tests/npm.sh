# shellcheck shell=sh
# Sourced by the tests that need Node.js: npm_install HERE DIRECTORY puts HERE's packages, as its lock
# file names them, into DIRECTORY. It and need_node call `skip REASON`, which the caller defines.

need_node() {
    { command -v node && command -v npm; } >/dev/null || skip "there is no node or npm"
    [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || skip "node is older than 18"
}

npm_install() {
    if cmp -s "$1/package-lock.json" "$2/package-lock.json" && [ -d "$2/node_modules" ]; then
        return
    fi
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2/"
    (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund) >&2 || {
        rm -f "$2/package-lock.json"
        skip "npm could not install its packages"
    }
}
