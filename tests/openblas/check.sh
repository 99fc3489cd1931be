#!/bin/sh
# The statically linked OpenBLAS, of which all but SGEMM is left out: check.sh VGG
#
# It chooses its routines by the CPU. Each choice that this CPU can run must give the scores of the
# shipped kernels; one that calls what was left out would abort.
set -eu

vgg=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
passed=0
failed=0

[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: OpenBLAS's choices are known for x86-64 only"; exit 0; }

has() {
    grep -qw "$1" /proc/cpuinfo
}

cores="Prescott Core2 Penryn Dunnington Nehalem Atom Nano Barcelona"
if has avx; then cores="$cores Sandybridge"; fi
if has avx2 && has fma; then cores="$cores Haswell Zen"; fi
if has avx512f && has avx512vl && has avx512bw && has avx512dq; then cores="$cores SkylakeX"; fi

/usr/bin/python3 - "$directory/photo.jpg" <<'END'
import sys
from PIL import Image
side = Image.linear_gradient("L").resize((320, 240))
Image.merge("RGB", (side, side.rotate(180), side.transpose(0))).save(sys.argv[1], quality=90)
END

# "INDEX SCORE" of the five best.
scores() {
    "$vgg" classify --json --scales 256 --flip off "$directory/photo.jpg" |
        grep -o '"index":[0-9]*\|"score":[0-9.e-]*' | sed 's/.*://' | paste - -
}

scores >"$directory/expected"
for core in $cores; do
    if OPENBLAS_CORETYPE=$core VGG_KERNELS=portable scores >"$directory/found" &&
        [ "$(wc -l <"$directory/found")" -eq 5 ] &&
        paste "$directory/expected" "$directory/found" | awk '
            $1 != $3 || $2 - $4 > 1e-5 || $4 - $2 > 1e-5 { bad = 1 } END { exit bad }'; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $core:"
        paste "$directory/expected" "$directory/found"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
