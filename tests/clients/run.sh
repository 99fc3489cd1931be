#!/bin/sh
# Other people's clients against the server: tritonclient, KServe's, those that five generators make
# of /openapi.json, schemathesis, spectral, redocly.
#
#   tests/clients/run.sh BUILD    their packages come from their indexes into BUILD/clients
#
# What cannot be had is skipped, and said to be: all of it without Python's packages, a part of it
# without Node.js 20, Java 11 or Go 1.23.
set -eu

build=$1
here=$(dirname "$0")
home=$build/clients
python=$home/python/bin/python

. "$here/../npm.sh"

skip() {
    wait
    printf 'SKIPPED other people'\''s clients: %s\n[  SKIPPED ] 1 test(s)\n' "$1"
    exit 0
}

python_install() {
    cmp -s "$here/requirements.txt" "$home/requirements.txt" && return
    rm -rf "$home/python" "$home/requirements.txt"
    /usr/bin/python3 -m venv "$home/python" >&2 || skip "there is no python3 with venv"
    "$python" -m pip install -q --disable-pip-version-check --retries 1 \
        -r "$here/requirements.txt" >&2 ||
        skip "pip could not install its packages"
    cp "$here/requirements.txt" "$home/requirements.txt"
}

mkdir -p "$home"
(need_node && npm_install "$here" "$home/npm") >&2 & # check.py sees what it lacks
node=$!
python_install
wait "$node"
exec "$python" "$here/check.py" "$build/vgg" "$home"
