#!/bin/sh
# Fuzz images, multipart bodies and models by libFuzzer, each for so many seconds, from files of
# every kind. What was found to be new stays in BUILD/corpus for the next time; a finding is kept
# as BUILD/crash-* and ends with exit status 1.
#
#   tests/fuzz/run.sh BUILD SECONDS VGG
set -u

build=$1
seconds=$2
vgg=$3

# seed NAME DIRECTORY: what to begin with, made rather than kept.
seed() {
    case $1 in
    image) PYTHONPATH=tests/pillow /usr/bin/python3 tests/fuzz/seeds.py "$2" ;;
    multipart)
        for boundary in a XyZ 'a b'; do
            {
                printf 'multipart/form-data; boundary="%s"\n--%s\r\n' "$boundary" "$boundary"
                printf 'Content-Disposition: form-data; name="i"; filename="a.jpg"\r\n\r\nhello'
                printf '\r\n--%s\r\nContent-Disposition: form-data; name="n"\r\n\r\n1' "$boundary"
                printf '\r\n--%s--\r\n' "$boundary"
            } >"$2/$boundary"
        done
        ;;
    model)
        for arch in A A-LRN B C D E; do
            "$vgg" init --arch $arch --width 1 --fc 2 --classes 2 --crop 32 -o "$2/$arch" || return 1
        done
        ;;
    esac
}

failed=0
for name in image multipart model; do
    mkdir -p "$build/corpus/$name" "$build/seeds/$name"
    seed $name "$build/seeds/$name" || exit 1
    echo "== $name: $(find "$build/seeds/$name" -type f | wc -l) seeds, $seconds s"
    if "$build/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -max_len=65536 -artifact_prefix="$build/crash-$name-" -print_final_stats=1 \
        "$build/corpus/$name" "$build/seeds/$name" >"$build/$name.log" 2>&1; then
        grep -e '^stat::number_of_executed_units' -e '^stat::new_units_added' -e '^stat::peak_rss_mb' \
            "$build/$name.log"
    else
        tail -n 60 "$build/$name.log"
        failed=1
    fi
done
exit $failed
