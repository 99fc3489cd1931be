#!/bin/bash
# `make install` of a build directory, and what it puts where: the program, the manual page and the
# completion in step with --help, the library used by pkg-config alone, `make uninstall`.
#
#   tests/install/check.sh BUILD
set -u
cd "$(dirname "$0")/../.." || exit 2

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: one test.
check() {
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        tail -n 20 "$work/output"
    fi
}

# What was built is what is installed: other tests run it meanwhile, so it must not be linked anew.
run_make() {
    make --no-print-directory -o "$build/vgg" -o "$build/libvgg.a" BUILD="$build" "$@"
}

# ---------------------------------------------------------------- files

# Every file, below DESTDIR and PREFIX and nowhere else.
staged_files() {
    run_make install DESTDIR="$work/stage" PREFIX=/opt/vgg || return 1
    (cd "$work/stage" && find . -type f | LC_ALL=C sort) >"$work/found"
    cat >"$work/expected" <<'LIST'
./opt/vgg/bin/vgg
./opt/vgg/include/vgg.h
./opt/vgg/include/vgg_bench.h
./opt/vgg/include/vgg_footprint.h
./opt/vgg/include/vgg_pictures.h
./opt/vgg/include/vgg_train.h
./opt/vgg/lib/libvgg.a
./opt/vgg/lib/pkgconfig/vgg.pc
./opt/vgg/lib/systemd/system/vgg.service
./opt/vgg/share/bash-completion/completions/vgg
./opt/vgg/share/man/man1/vgg.1
LIST
    diff "$work/expected" "$work/found" &&
        grep -qx 'prefix=/opt/vgg' "$work/stage/opt/vgg/lib/pkgconfig/vgg.pc" &&
        [ -x "$work/stage/opt/vgg/bin/vgg" ] && [ ! -x "$work/stage/opt/vgg/include/vgg.h" ]
}

# systemd's unit starts the program that was installed.
staged_unit() {
    grep -q '^ExecStart=/opt/vgg/bin/vgg serve$' "$work/stage/opt/vgg/lib/systemd/system/vgg.service"
}

uninstalled() {
    run_make uninstall DESTDIR="$work/stage" PREFIX=/opt/vgg || return 1
    [ -z "$(find "$work/stage" ! -type d)" ]
}

# ---------------------------------------------------------------- the library

# The consumer sees the installation by pkg-config alone.
consumer_builds() {
    run_make install PREFIX="$work/usr" || return 1
    export PKG_CONFIG_PATH="$work/usr/lib/pkgconfig"
    [ "vgg $(pkg-config --modversion vgg)" = "$("$work/usr/bin/vgg" --version)" ] || return 1
    # shellcheck disable=SC2046  # a list of words
    ${CC:-gcc} -std=c11 -Wall -Wextra -Werror tests/install/classify.c \
        $(pkg-config --cflags --libs vgg) -o "$work/classify"
}

# The same class and score as the installed program's.
consumer_classifies() {
    "$work/usr/bin/vgg" init --width 4 --fc 16 --classes 10 --crop 32 -o "$work/model" || return 1
    PYTHONPATH=tests/pillow /usr/bin/python3 -c 'import pictures, sys
sys.stdout.buffer.write(dict(pictures.png_oddities())["png-chunks"])' >"$work/picture" || return 1
    "$work/classify" "$work/model" "$work/picture" >"$work/by_library" || return 1
    "$work/usr/bin/vgg" classify --model "$work/model" --top-k 1 --csv "$work/picture" |
        awk -F, 'NR == 2 { print $3, $6 }' | diff - "$work/by_library"
}

# The shipped model and the sample picture, by name; what is missing or cannot be read is said.
consumer_names() {
    "$work/classify" server/models/trashnet/trashnet.safetensors tests/data/glass.jpg >"$work/by_library" ||
        return 1
    "$work/usr/bin/vgg" classify --top-k 1 --csv tests/data/glass.jpg |
        awk -F, 'NR == 2 { print $5, $6 }' | diff - "$work/by_library" || return 1
    grep -q '^glass ' "$work/by_library" || return 1
    "$work/classify" 2>"$work/usage" && return 1
    grep -q '^usage: classify MODEL PICTURE$' "$work/usage" || return 1
    "$work/classify" server/models/trashnet/trashnet.safetensors /nowhere 2>"$work/missing" && return 1
    grep -q '^/nowhere: No such file' "$work/missing" || return 1
    "$work/classify" /nowhere tests/data/glass.jpg 2>"$work/missing" && return 1
    grep -q '/nowhere: No such file' "$work/missing"
}

# OpenBLAS is in the library, where it is linked statically, and hidden.
library_hides_openblas() {
    if pkg-config --libs vgg | grep -q -- -lopenblas; then
        echo "SKIPPED: OpenBLAS is linked dynamically here"
        return 0
    fi
    nm --defined-only "$work/usr/lib/libvgg.a" 2>/dev/null | grep -q ' t cblas_sgemm$'
}

# What can be linked against is what the headers declare, all of it and nothing else.
library_shows_the_headers() {
    local name
    nm -g --defined-only "$work/usr/lib/libvgg.a" | sed -n 's/.* T //p' | LC_ALL=C sort >"$work/names"
    while read -r name; do
        grep -q "\<$name(" include/*.h || { echo "$name is in no header"; return 1; }
    done <"$work/names"
    sed -n 's/^[a-z][^(]*[ *]\(vgg_[a-z0-9_]*\)(.*/\1/p' include/*.h | LC_ALL=C sort -u >"$work/declared"
    diff "$work/declared" "$work/names" && [ "$(wc -l <"$work/names")" -ge 50 ] &&
        ! nm -g --defined-only "$work/usr/lib/libvgg.a" | grep ' [A-SU-Z] '
}

# Either of another OpenBLAS: the shared library, the archive.
program_has_its_own() {
    local library own
    own=$(gcc -print-multiarch)/openblas-pthread
    for library in -lopenblas "/usr/lib/$own/libopenblas.a"; do
        # shellcheck disable=SC2046  # a list of words
        ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -I"/usr/include/$own" \
            tests/install/own_openblas.c $(pkg-config --cflags --libs vgg) "$library" -lm \
            -o "$work/own" && VGG_KERNELS=portable OPENBLAS_NUM_THREADS=2 "$work/own" || return 1
    done
}

# ---------------------------------------------------------------- in step with --help

commands() {
    "$build/vgg" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

options() {
    "$build/vgg" "$1" --help | sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p'
}

manual_is_whole() {
    local manual=$build/vgg.1 command option section count=0
    for command in $(commands); do
        section=$(sed -n "/^\.Ss vgg $command /,/^\.S[sh] /p" "$manual")
        for option in $(options "$command"); do
            grep -q -- "^\.It Fl $(sed 's/^-//; s/-/\\\\\\-/g' <<<"$option")\( \|\$\)" \
                <<<"$section" || { echo "$command $option is missing"; return 1; }
            count=$((count + 1))
        done
    done
    [ "$count" -ge 30 ]
}

manual_reads_well() {
    command -v man >/dev/null || { echo "SKIPPED: no man"; return 0; }
    LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$build/vgg.1" >"$work/manual" 2>"$work/warnings" &&
        [ ! -s "$work/warnings" ] && grep -q 'max-view-pixels' "$work/manual"
}

# complete WORD...: what is offered for the last word.
complete_words() {
    bash --norc -c '. server/cli/completion.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        _vgg "$1"; printf "%s\n" "${COMPREPLY[@]}"' bash "$build/vgg" "$@"
}

# No variable that the sources, scripts and tests read is taken for a typing error.
variables_are_known() {
    local variable count=0
    for variable in $(grep -rhoE '(\$\{?|getenv\("|environ[^"]*"|env )VGG_[A-Z_]+' Makefile .ci core \
        docker server tests --include=Makefile --include=run --include='*.c' --include='*.sh' \
        --include='*.py' --include='*.yaml' --exclude=check.sh | grep -oE 'VGG_[A-Z_]+$' | sort -u); do
        env "$variable=0" "$build/vgg" health --listen 127.0.0.1:1 2>&1 | grep 'is no variable' && return 1
        count=$((count + 1))
    done
    [ "$count" -ge 5 ] &&
        env VGG_MODLE=x "$build/vgg" health --listen 127.0.0.1:1 2>&1 | grep 'did you mean VGG_MODEL?'
}

completion_is_whole() {
    local command
    diff <({ commands; echo --help; echo --version; } | sort) <(complete_words '' | sort) || return 1
    for command in $(commands); do
        diff <({ options "$command"; echo --version; } | sort) \
            <(complete_words "$command" -- | sort) || return 1
    done
    [ "$(complete_words classify --flip o | tr '\n' ' ')" = "on off " ] &&
        [ "$(complete_words serve --log j)" = json ] &&
        [ "$(complete_words serve --max-he)" = --max-header ] &&
        [ -z "$(complete_words classify --model '')" ]
}

check "staged files" staged_files
check "systemd unit" staged_unit
check "uninstall" uninstalled
check "a program builds by pkg-config" consumer_builds
check "it classifies as the command does" consumer_classifies
check "it names the class, and what is wrong" consumer_names
check "the library hides its OpenBLAS" library_hides_openblas
check "the library shows what its headers declare" library_shows_the_headers
check "a program may have an OpenBLAS of its own" program_has_its_own
check "the manual has every command and option" manual_is_whole
check "the manual has no warnings" manual_reads_well
check "variables of ours are known" variables_are_known
check "bash completes every command and option" completion_is_whole
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
