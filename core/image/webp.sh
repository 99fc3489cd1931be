#!/bin/sh
# webp.c and libwebp as one object that shows nothing but the decoder, so that a program may use a
# libwebp of its own.
#
#   CC=... OBJCOPY=... webp.sh OBJECT OUTPUT
#
# libwebp's allocations become those of the bounded heap (core/base/heap.h), and functions of webp.c
# stand before three of its own, to poll where a decode takes its time.
set -eu

object=$1
output=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$OBJCOPY --redefine-sym malloc=vgg_heap_malloc --redefine-sym calloc=vgg_heap_calloc \
    --redefine-sym free=vgg_heap_free "$($CC -print-file-name=libwebp.a)" "$work/libwebp.a"
$CC -r -nostdlib -Wl,--wrap=VP8ProcessRow -Wl,--wrap=VP8LConvertFromBGRA \
    -Wl,--wrap=VP8LBuildHuffmanTable "$object" "$($CC -print-file-name=libwebpdemux.a)" \
    "$work/libwebp.a" -o "$output"
$OBJCOPY --keep-global-symbol=vgg_decoder_webp "$output"
