#!/bin/sh
# vgg beside PyTorch, ONNX Runtime, OpenVINO and ncnn: tests/peers/run.sh BUILD [--rounds N] [--json]
#
# PyTorch is Debian's python3-torch; the packages of PyPI come into BUILD/peers/python, each only if it
# can be had. peers.py says which are missing.
set -eu

build=$1
shift
here=$(dirname "$0")
home=$build/peers
python=$home/python/bin/python

if ! cmp -s "$here/requirements.txt" "$home/requirements.txt"; then
    rm -rf "$home/python"
    mkdir -p "$home"
    /usr/bin/python3 -m venv "$home/python" >&2
    all=yes
    while read -r package; do
        "$python" -m pip install -q --disable-pip-version-check --retries 1 "$package" >&2 || {
            echo "peers: pip could not install $package" >&2
            all=no
        }
    done <"$here/requirements.txt"
    [ "$all" = no ] || cp "$here/requirements.txt" "$home/"
fi
exec /usr/bin/python3 "$here/peers.py" "$build/vgg" "$home" "$@"
