#!/bin/sh
# The paper's table 2 from the real shapes: parameters.sh VGG
set -eu

vgg=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
passed=0
failed=0

check() {
    arch=$1
    exact=$2
    millions=$3
    "$vgg" init --arch "$arch" -o "$directory/model.safetensors"
    line=$("$vgg" inspect "$directory/model.safetensors" | sed -n 's/^parameters *//p')
    if [ "$line" = "$exact ($millions million)" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$arch: $line, expected $exact ($millions million)"
    fi
}

check A 132863336 133
check A-LRN 132863336 133
check B 133047848 133
check C 133638952 134
check D 138357544 138
check E 143667240 144
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
