#!/bin/bash
# `make install` of a build directory, and what it puts where: the program, the manual page and the
# completion in step with --help, systemd's unit, the library used by pkg-config alone, shared and
# static, `make uninstall`.
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
        grep '^SKIPPED' "$work/output"
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        tail -n 20 "$work/output"
    fi
}

# What was built is what is installed: other tests run it meanwhile, so it must not be linked anew.
run_make() {
    PATH="$work/bin:$PATH" make --no-print-directory -o "$build/vgg" -o "$build/libvgg.a" \
        -o "$build/libvgg.so" BUILD="$build" "$@"
}

# An ldconfig of ours, which tells that it was called.
mkdir "$work/bin"
: >"$work/ldconfig"
printf '#!/bin/sh\necho called >>"%s/ldconfig"\n' "$work" >"$work/bin/ldconfig"
chmod +x "$work/bin/ldconfig"
times_called() {
    [ "$(wc -l <"$work/ldconfig")" -eq "$1" ]
}

# ---------------------------------------------------------------- files

# Every file, below DESTDIR and PREFIX and nowhere else.
staged_files() {
    run_make install DESTDIR="$work/stage" PREFIX=/opt/vgg || return 1
    (cd "$work/stage" && find . ! -type d | LC_ALL=C sort) >"$work/found"
    cat >"$work/expected" <<LIST
./opt/vgg/bin/vgg
./opt/vgg/include/vgg.h
./opt/vgg/include/vgg_bench.h
./opt/vgg/include/vgg_footprint.h
./opt/vgg/include/vgg_image.h
./opt/vgg/include/vgg_pictures.h
./opt/vgg/include/vgg_status.h
./opt/vgg/include/vgg_train.h
./opt/vgg/include/vgg_typicality.h
./opt/vgg/lib/libvgg.a
./opt/vgg/lib/libvgg.so
./opt/vgg/lib/libvgg.so.0
./opt/vgg/lib/libvgg.so.$version
./opt/vgg/lib/pkgconfig/vgg.pc
./opt/vgg/lib/systemd/system/vgg.service
./opt/vgg/share/bash-completion/completions/vgg
./opt/vgg/share/man/man1/vgg.1
LIST
    diff "$work/expected" "$work/found" &&
        grep -qx 'prefix=/opt/vgg' "$work/stage/opt/vgg/lib/pkgconfig/vgg.pc" &&
        [ -x "$work/stage/opt/vgg/bin/vgg" ] && [ ! -x "$work/stage/opt/vgg/include/vgg.h" ]
}

# The loader's name of the library is in it, and both names lead to it.
staged_links() {
    local libraries=$work/stage/opt/vgg/lib name
    readelf -d "$libraries/libvgg.so.$version" | grep -q 'SONAME.*\[libvgg\.so\.0\]$' || return 1
    for name in libvgg.so libvgg.so.0; do
        [ "$(readlink "$libraries/$name")" = "libvgg.so.$version" ] || return 1
    done
}

# systemd's unit starts the program that was installed.
staged_unit() {
    grep -q '^ExecStart=/opt/vgg/bin/vgg serve$' "$work/stage/opt/vgg/lib/systemd/system/vgg.service"
}

uninstalled() {
    run_make uninstall DESTDIR="$work/stage" PREFIX=/opt/vgg || return 1
    [ -z "$(find "$work/stage" ! -type d)" ] && times_called 0
}

# In place, the loader is told.
installed() {
    run_make install PREFIX="$work/usr" && times_called 1
}

installed_unit() {
    /usr/bin/python3 tests/install/unit.py "$work/usr/lib/systemd/system/vgg.service"
}

uninstalled_in_place() {
    run_make uninstall PREFIX="$work/usr" && [ -z "$(find "$work/usr" ! -type d)" ] && times_called 2
}

# ---------------------------------------------------------------- the library

# consume OUTPUT SOURCE [-static] [ARGUMENT...]: a program that sees the installation by pkg-config
# alone.
consume() {
    local output=$1 source=$2 static=
    shift 2
    [ "${1:-}" != -static ] || static=--static
    # shellcheck disable=SC2046,SC2086  # lists of words
    ${CC:-gcc} -std=c11 -Wall -Wextra -Werror "$source" $(pkg-config $static --cflags --libs vgg) "$@" \
        -o "$output"
}

consumer_builds() {
    [ "vgg $(pkg-config --modversion vgg)" = "$("$work/usr/bin/vgg" --version)" ] || return 1
    consume "$work/classify" tests/install/classify.c || return 1
    consume "$work/classify-static" tests/install/classify.c -static
}

# Which library the programs run with.
consumer_loads() {
    ldd "$work/classify" | grep -q "libvgg.so.0 => $work/usr/lib/libvgg.so.0 " || return 1
    ! readelf -d "$work/classify-static" | grep NEEDED
}

# The same class and score as the installed program's.
consumers_classify() {
    local program
    "$work/usr/bin/vgg" init --width 4 --fc 16 --classes 10 --crop 32 -o "$work/model" || return 1
    PYTHONPATH=tests/pillow /usr/bin/python3 -c 'import pictures, sys
sys.stdout.buffer.write(dict(pictures.png_oddities())["png-chunks"])' >"$work/picture" || return 1
    "$work/usr/bin/vgg" classify --model "$work/model" --top-k 1 --csv "$work/picture" |
        awk -F, 'NR == 2 { print $3, $6 }' >"$work/by_command"
    for program in classify classify-static; do
        "$work/$program" "$work/model" "$work/picture" | diff "$work/by_command" - || return 1
    done
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

# The program in core/README.md, as it stands there.
documented_example_runs() {
    local program
    # shellcheck disable=SC2016  # backquotes of Markdown
    sed -n '/^```c$/,/^```$/p' core/README.md | grep -v '^```' >"$work/example.c"
    consume "$work/example" "$work/example.c" || return 1
    consume "$work/example-static" "$work/example.c" -static || return 1
    for program in example example-static; do
        "$work/$program" server/models/trashnet/trashnet.safetensors <tests/data/glass.jpg |
            grep -Eqx 'class 1, score 0\.9[0-9]*' || return 1
        "$work/$program" /nowhere <tests/data/glass.jpg 2>&1 | grep -q '/nowhere: No such file' || return 1
    done
}

# OpenBLAS, where it is linked statically, and libwebp are in the libraries, and hidden.
library_hides() {
    local library name hidden='WebPDecode cblas_sgemm'
    if pkg-config --static --libs vgg | grep -q -- -lopenblas; then
        echo "SKIPPED: OpenBLAS is linked dynamically here"
        hidden=WebPDecode
    fi
    for library in libvgg.a libvgg.so; do
        for name in $hidden; do
            nm --defined-only "$work/usr/lib/$library" | grep -q " t $name\$" || return 1
        done
    done
}

# What can be linked against is what the headers declare, as the compiler reads them, all of it and
# nothing else; there is more that could be.
library_shows_the_headers() {
    local header
    for header in include/*.h; do
        gcc -fsyntax-only -aux-info "$work/header" -x c "$header" || return 1
        sed -n 's|^/\* include/[^ ]* \*/ extern [^(]*[ *]\([a-z0-9_]*\) (.*|\1|p' "$work/header"
    done | LC_ALL=C sort -u >"$work/declared"
    nm -g --defined-only "$work/usr/lib/libvgg.a" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort |
        diff "$work/declared" - || return 1
    nm -D --defined-only "$work/usr/lib/libvgg.so" | awk '{ print $3 }' | LC_ALL=C sort >"$work/shown"
    { sed 's/$/@@VGG_0/' "$work/declared"; echo VGG_0; } | LC_ALL=C sort | diff - "$work/shown" || return 1
    [ "$(wc -l <"$work/declared")" -ge 50 ] &&
        [ "$(nm -g --defined-only "$build/core.a" | grep -c ' vgg_')" -gt 150 ]
}

# Either of another OpenBLAS and libwebp, the shared ones or the archives, beside either of ours.
program_has_its_own() {
    local libraries own
    own=$(gcc -print-multiarch)/openblas-pthread
    for libraries in "-lopenblas -lwebp" "/usr/lib/$own/libopenblas.a -l:libwebp.a" \
        "-static /usr/lib/$own/libopenblas.a -lwebp"; do
        # shellcheck disable=SC2086  # a list of words
        consume "$work/own" tests/install/own_libraries.c $libraries "-I/usr/include/$own" -lm \
            && VGG_KERNELS=portable OPENBLAS_NUM_THREADS=2 "$work/own" || return 1
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
    # shellcheck disable=SC2013  # words
    for variable in $(grep -rhoE '(\$\{?|getenv\("|environ[^"]*"|env )VGG_[A-Z_]+' Makefile .ci core \
        docker server tests --include=Makefile --include='*.mk' --include=run --include='*.c' --include='*.sh' \
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

version=$(sed -n 's/^#define VGG_VERSION "\(.*\)"/\1/p' include/vgg.h)
export PKG_CONFIG_PATH="$work/usr/lib/pkgconfig" LD_LIBRARY_PATH="$work/usr/lib"
check "staged files" staged_files
check "names of the library" staged_links
check "systemd unit" staged_unit
check "uninstall" uninstalled
check "install in place" installed
check "systemd's unit verifies, reports ready, stops" installed_unit
check "a program builds by pkg-config, and with --static" consumer_builds
check "they run with the library meant" consumer_loads
check "they classify as the command does" consumers_classify
check "a program names the class, and what is wrong" consumer_names
check "the example in core/README.md" documented_example_runs
check "the libraries hide OpenBLAS and libwebp" library_hides
check "the libraries show what the headers declare" library_shows_the_headers
check "a program may have an OpenBLAS and a libwebp of its own" program_has_its_own
check "uninstall in place" uninstalled_in_place
check "the manual has every command and option" manual_is_whole
check "the manual has no warnings" manual_reads_well
check "variables of ours are known" variables_are_known
check "bash completes every command and option" completion_is_whole
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
