#!/bin/sh
# Run the tests of a build directory, one line each, and add up what they count.
#
#   tests/run.sh BUILD programs    the unit and end-to-end programs (what a sanitizer build runs)
#   tests/run.sh BUILD all         the same, and the checks that need the product as it ships
#   tests/run.sh BUILD long        what takes minutes; shows what it measured
#   tests/run.sh BUILD neon        what BUILD/neon holds, for 64-bit ARM, under qemu-user
#   tests/run.sh BUILD page        the page at / in a browser
#   tests/run.sh BUILD clients     other people's clients, from their package indexes
#
# Programs run JOBS [the CPUs] at a time, then posteriors beside the other checks: parts of `all` that
# this script calls itself for, as it does for "one" program. A line ends with the seconds it took.
#
# VGG_SHARED names a directory with more photographs and hostile JPEGs; without it those tests are
# skipped, and say so.
set -u

build=$1
suite=$2
python=/usr/bin/python3
jobs=${JOBS:-$(nproc)}
totals=${totals:-} # a line "PASSED FAILED SKIPPED" for each program
output=$(mktemp)
if [ -z "$totals" ]; then
    outermost=true
    totals=$(mktemp)
    export totals
    trap 'rm -f "$output" "$totals"' EXIT
else
    outermost=false
    trap 'rm -f "$output"' EXIT
fi

export VGG_BIN="$build/vgg"
# A finding of a sanitizer is a failure, and a leak is one too.
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=99:allocator_may_return_null=1"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:exitcode=99"
export TSAN_OPTIONS="halt_on_error=1:exitcode=99"
# A shared OpenBLAS would start a thread for each CPU, and use none but the caller's.
export OPENBLAS_NUM_THREADS=1

if [ -z "${VGG_SHARED:-}" ] && $outermost; then
    echo "NOTE: VGG_SHARED is not set: tests of files outside this repository are skipped"
fi
# CPU minutes of a suite, as measured.
case $suite in
programs | all) minutes=8 ;;
long) minutes=15 ;;
*) minutes=0 ;;
esac
if $outermost && [ "$minutes" -ne 0 ]; then
    echo "NOTE: this takes about $(((minutes + jobs - 1) / jobs)) minutes with $jobs at a time"
fi

# The number before a pattern's text in the output, 0 if it is not there.
count() {
    sed -n "$1" "$output" | awk '{ sum += $1 } END { print sum + 0 }'
}

# What failed in the output, at most 200 lines: cmocka's tests from "RUN" to "FAILED", a sanitizer's
# report, lines "FAIL ..." with those below them up to the next result. Nothing of the kind: the end.
failing_lines() {
    awk '
        /^\[ RUN      \]/ { block = ""; running = 1 }
        running { block = block $0 "\n" }
        running && /^\[       OK \]|^\[  SKIPPED \] [^0-9]/ { running = 0; block = "" }
        running && /^\[  FAILED  \]/ { printf "%s", block; running = 0; block = ""; next }
        /ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:/ && !running { report = 1 }
        /^FAIL/ { failing = 1 }
        /^(ok|SKIPPED|measured:)/ { failing = 0 }
        (report || failing) && !running { print }
        END { if (running) printf "%s", block } # ended in the middle of a test
    ' "$output" | head -n 200 | grep . || tail -n 60 "$output"
}

# What is shown of a command that has ended.
report() {
    if [ "$status" -ne 0 ] || [ "$bad" -ne 0 ]; then
        mkdir -p "$build/failed"
        whole="$build/failed/$(printf %s "$name" | tr -c 'A-Za-z0-9_.\n' -).log"
        cp "$output" "$whole"
        printf 'FAIL %s (exit status %s), %s s; all it printed: %s\n' "$name" "$status" "$seconds" \
            "$whole"
        failing_lines
    else
        [ "$left" -eq 0 ] && left= || left=", $left skipped"
        printf 'ok   %-44s %4s passed, %3s s%s\n' "$name" "$good" "$seconds" "$left"
        grep -h '^SKIPPED' "$output"
        [ "$suite" != long ] || sed -n 's/^measured:/    /p' "$output"
    fi
}

# run NAME COMMAND...: cmocka's summary or a line "N passed, N failed" tells the counts; a command
# that prints neither counts as one.
run() {
    name=$1
    shift
    start=$(date +%s)
    "$@" >"$output" 2>&1
    status=$?
    seconds=$(($(date +%s) - start))
    good=$(count 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p; s/^\([0-9]*\) passed, [0-9]* failed.*/\1/p')
    bad=$(count 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p; s/^[0-9]* passed, \([0-9]*\) failed.*/\1/p')
    left=$(count 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p')
    [ "$status" -eq 0 ] && [ "$good" -eq 0 ] && [ "$bad" -eq 0 ] && [ "$left" -eq 0 ] && good=1
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    echo "$good $bad $left" >>"$totals"
    report
}

# runs_here PRECISION [KERNELS]: on this machine?
runs_here() {
    VGG_KERNELS=${2:-} "$build/vgg" classify --precision "$1" tests/data/glass.jpg >/dev/null 2>&1
}

programs() {
    find "$build/tests/unit" "$build/tests/e2e" -type f -name 'test_*' ! -name '*.*' | sort |
        while read -r program; do
            # Without a source of its own it is left over from another revision.
            [ -f "tests/${program#"$build"/tests/}.c" ] && echo "$program"
        done | xargs -r -n 1 -P "$jobs" sh "$0" "$build" one
}

case $suite in
one)
    # What two programs print at a time must not mix.
    text=$(run "${3#"$build"/}" "$3")
    flock "$totals" printf '%s\n' "$text"
    exit 0
    ;;
programs)
    programs
    ;;
all)
    programs
    printf '%s\n' posteriors checks | xargs -n 1 -P "$jobs" sh "$0" "$build"
    ;;
posteriors)
    # Every table of kernels that this machine runs.
    for kernels in avx512 avx2 neon portable avx512-vnni avx-vnni neon-dotprod portable-i8; do
        runs_here auto $kernels || continue
        run "posteriors against the oracle, $kernels" \
            env VGG_KERNELS=$kernels VGG_PRECISION=auto "$python" tests/oracle/compare.py "$build/vgg" "$build/oracle"
    done
    exit 0
    ;;
checks)
    run "what the documents name" "$python" tests/lint/readme_paths.py
    run "layers of the sources" "$python" tests/layers.py --objects "$build"
    run "options in server/README.md" sh tests/install/check_options.sh "$build/vgg"
    run "downloading a model" "$python" tests/hub/test_fetch.py
    run "what make run says of a bare machine" sh tests/install/check_setup.sh
    run "installation" bash tests/install/check.sh "$build"
    run "formatting of commits" bash tests/lint/check_hook.sh
    run "static OpenBLAS" sh tests/openblas/check.sh "$build/vgg"
    run "little memory, few threads" "$python" tests/resources/check.py "$build/vgg"
    run "dashboard, alert rules" "$python" tests/monitoring/check.py "$build/vgg"
    run "v2 client from the specification" "$python" tests/v2/check_v2.py "$build/vgg"
    run "/openapi.json against the server" sh tests/openapi/run.sh "$build"
    run "oracle against numpy" "$python" tests/oracle/compare.py --self-test "$build/oracle"
    run "pixels against Pillow" "$python" tests/pillow/check_pixels.py --dump "$build/dump_pixels" --sample 100 \
        ${VGG_SHARED:+"$VGG_SHARED/data/trashnet"}
    exit 0
    ;;
long)
    precisions=f32
    runs_here i8 && precisions="f32 i8" || echo "SKIPPED: 8 bits in full size, no instructions for them"
    for precision in $precisions; do
        run "full-size network against the oracle, $precision" env VGG_PRECISION="$precision" \
            "$python" tests/oracle/compare.py --full "$build/vgg" "$build/oracle"
        run "full-size network in service, $precision" env VGG_PRECISION="$precision" \
            "$python" tests/long/full_size.py "$build/vgg"
    done
    run "parameter counts of the paper" sh tests/long/parameters.sh "$build/vgg"
    run "dashboard, alert rules" "$python" tests/monitoring/check.py "$build/vgg"
    run "soak under wrk" sh tests/long/soak.sh "$build/vgg"
    run "decodes against their predictions" "$build/tests/unit/core/image/test_work" timed 8000
    run "overload, bad neighbours, bombs" "$build/tests/long/chaos"
    run "reloads under wrk" "$python" tests/long/reloads.py "$build/vgg"
    run "predicted seconds" "$python" tests/long/prediction.py "$build/vgg"
    run "SIGTERM under wrk" "$python" tests/long/sigterm.py "$build/vgg"
    run "the page in a browser" sh tests/page/run.sh "$build"
    ;;
neon)
    run "NEON kernels, emulated" qemu-aarch64 "$build/neon/tests/unit/core/kernels/test_conv" neon 3000000
    run "NEON kernels of 8 bits, emulated" qemu-aarch64 "$build/neon/tests/unit/core/kernels/test_conv" neon-dotprod 3000000
    run "NEON hard numbers in 8 bits, emulated" qemu-aarch64 "$build/neon/tests/unit/core/kernels/test_eight"
    run "NEON without dot products, emulated" qemu-aarch64 -cpu cortex-a53 "$build/neon/tests/unit/core/kernels/test_kernels"
    run "NEON first layer, emulated" qemu-aarch64 "$build/neon/tests/unit/core/kernels/test_first" neon
    run "answers on 64-bit ARM, emulated" "$python" tests/neon/check.py "$build/vgg" "$build/neon/vgg-bare"
    ;;
page)
    run "the page in a browser" sh tests/page/run.sh "$build"
    run "/openapi.json against the server" sh tests/openapi/run.sh "$build"
    ;;
clients)
    run "other people's clients" sh tests/clients/run.sh "$build"
    ;;
*)
    echo "usage: tests/run.sh BUILD programs|all|long|page|neon|clients" >&2
    exit 2
    ;;
esac

echo
awk '{ passed += $1; failed += $2; skipped += $3 }
    END {
        print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"
        exit failed != 0 || passed + skipped == 0
    }' "$totals"
