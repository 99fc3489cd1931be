#!/bin/sh
# vgg beside PyTorch and ONNX Runtime: tests/peers/run.sh BUILD
#
# Needs python3-torch of Debian, Node.js 18 and npm, which gets ONNX Runtime.
set -eu

build=$1
here=$(dirname "$0")

. "$here/../npm.sh"

skip() {
    printf 'peers: %s\n' "$1" >&2
    exit 1
}

need_node
npm_install "$here" "$build/peers"
exec /usr/bin/python3 "$here/peers.py" "$build/vgg" "$build/peers"
