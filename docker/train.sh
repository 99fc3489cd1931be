#!/bin/sh
# What `make train` does before it builds and after: photographs in PHOTOS/class/picture become
# models/NAME.safetensors.
#
#   PHOTOS=DIR BASE=FILE|vgg16|...|embedded docker/train.sh check
#   PHOTOS=DIR BASE=... docker/train.sh run VGG [OPTIONS of vgg train]
#
# Without BASE it is the published VGG-16, which fetch-model.sh brings once.
set -eu

base=${BASE:-vgg16}

fail() {
    printf 'train: %s\n' "$*" >&2
    exit 2
}

# Class folders of PHOTOS with something like a picture: `vgg train` looks closer.
folders() {
    n=0
    for folder in "${PHOTOS%/}"/*/; do
        case $folder in
        */_unknown/) continue ;;
        esac
        found=$(find -L "$folder" -type f \( -iname '*.jp*' -o -iname '*.jfif' -o -iname '*.png' \
            -o -iname '*.webp' \) 2>/dev/null | head -n 1)
        [ -z "$found" ] || n=$((n + 1))
    done
    echo "$n"
}

check() {
    [ -n "${PHOTOS:-}" ] ||
        fail "say make train PHOTOS=DIR: a folder with a folder for each class, as in DIR/cup/1.jpg"
    [ -d "$PHOTOS" ] || fail "PHOTOS=$PHOTOS: there is no such directory"
    [ "$(folders)" -ge 2 ] ||
        fail "PHOTOS=$PHOTOS: at least 2 folders of pictures are needed, as in" \
            "$PHOTOS/cup/1.jpg and $PHOTOS/plate/2.jpg"
    case $base in
    embedded) ;;
    *.safetensors) [ -f "$base" ] || fail "BASE=$base: there is no such file" ;;
    *)
        sh docker/fetch-model.sh -n "$base" models
        [ -f "models/$base.safetensors" ] || {
            printf 'train: the published %s is downloaded first (over 550 MB, once); ' "$base"
            printf 'BASE=embedded does without, but knows far less\n'
        } >&2
        ;;
    esac
}

# "photos" of "some/photos/"; nobody's name is that of a published file.
name() {
    name=$(basename -- "$(cd -- "$PHOTOS" && pwd)")
    case $name in
    vgg16 | vgg19 | vgg16_bn | vgg19_bn | / | .*) name=my-$(echo "$name" | tr -d /.) ;;
    esac
    printf '%s\n' "$name"
}

run() {
    vgg=$1
    shift
    case $base in
    embedded | *.safetensors) ;;
    *) base=$(sh docker/fetch-model.sh "$base" models) ;;
    esac
    mkdir -p models
    exec "$vgg" train --base "$base" -o "models/$(name).safetensors" "$@" -- "$PHOTOS"
}

case ${1:-} in
check) check ;;
run) shift && run "$@" ;;
*) fail "usage: train.sh check | run VGG [OPTIONS]" ;;
esac
