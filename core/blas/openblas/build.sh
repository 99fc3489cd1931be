#!/bin/sh
# gemm.c with SGEMM of OpenBLAS's static archive as one object that shows only what is gemm.c's; where
# there is no archive, with what stands before the shared library.
#
#   CC=... CFLAGS=... AR=... OBJCOPY=... build.sh ARCHIVE OBJECT OUTPUT
#
# The constructor in memory.o starts a thread for each CPU and takes 128 MiB before main, asks for
# them for ever where there is too little memory, and ends the process where there are too few
# threads. It is taken out, and the allocator of that object gives way to that of static.c.
#
# For each CPU there is a table of all routines, which so bring along each other, 24 MB. The names
# in those tables, but SGEMM's, all become one function here: the linker leaves out 23 MB.
set -eu

archive=$1
object=$2
output=$3
sources=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() {
    # shellcheck disable=SC2086  # lists of words
    $CC $CFLAGS -c "$1" -o "$2"
}

# gemm.c's object with what it calls.
link() {
    $CC -r -nostdlib "$object" "$1" -o "$output"
    $OBJCOPY -w -G 'vgg_gemm_*' "$output"
}

if [ ! -e "$archive" ]; then
    compile "$sources/shared.c" "$work/shared.o"
    link "$work/shared.o"
    exit
fi
(
    cd "$work"
    $AR t "$archive" | grep -e '^setparam_' -e '^memory.o$' | xargs "$AR" x "$archive"
    {
        echo 'void abort(void);'
        echo 'void absent(void);'
        echo 'void absent(void) { abort(); }'
        nm -A setparam_*.o 2>/dev/null |
            sed -n 's/.*setparam_\(.*\)\.o: *U \(.*_\1\)$/\2/p' | grep -v '^sgemm_' | sort -u |
            sed 's/.*/__asm__(".globl &\\n.set &, absent");/'
    } >absent.c
)
$OBJCOPY -R .init_array -R .fini_array -W blas_memory_alloc -W blas_memory_free "$work/memory.o"
compile "$work/absent.c" "$work/absent.o"
compile "$sources/static.c" "$work/static.o"
$CC -r -nostdlib -Wl,--gc-sections -Wl,-u,cblas_sgemm "$work/static.o" "$work/memory.o" \
    "$work/absent.o" "$archive" -Wl,-u,vgg_openblas_start -o "$work/openblas.o"
$OBJCOPY -G cblas_sgemm -G vgg_openblas_start "$work/openblas.o"
link "$work/openblas.o"
