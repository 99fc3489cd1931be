#!/bin/sh
# What `make run` and `make train` say and do on a machine that lacks things: docker/deps.sh with a dpkg
# and an apt of our own, and the checks before anything is installed or built.
set -u
unset MAKEFLAGS MAKEOVERRIDES # a CC= of the make that called this

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
passed=0 failed=0

# check NAME COMMAND...
check() {
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        cat "$directory/out"
    fi
}

said() {
    grep -q -e "$1" "$directory/out"
}

said_not() {
    ! said "$1"
}

fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"$directory/bin/$1"
    chmod +x "$directory/bin/$1"
}

# deps STATUS: docker/deps.sh where only make is installed, and apt-get install ends with STATUS.
deps() {
    mkdir -p "$directory/bin"
    fake id 'echo 0'
    fake dpkg 'echo amd64'
    fake dpkg-query 'echo "installed amd64 make"'
    fake apt-get "echo chatter; case \"\$*\" in *install*) exit $1 ;; esac"
    (unset VGG_DEPS && PATH="$directory/bin:$PATH" sh docker/deps.sh build fetch) \
        >"$directory/out" 2>&1
}

check "missing packages are installed" deps 0
check "they are named" said 'installing .*gcc .*libmicrohttpd-dev .*curl'
check "what is there is not" said_not ' make '
check "apt is not heard" said_not chatter
check "the first line names them" sh -c "head -n 1 '$directory/out' | grep -q libjansson-dev"

deps 100
check "a failure is a failure" [ $? -eq 1 ]
check "then apt is heard" said chatter
check "and what could not be installed" said 'could not install: .*gcc'

# run MAKE-ARGUMENTS: must fail before anything happens.
run() {
    make --no-print-directory run VGG_DEPS=none "$@" >"$directory/out" 2>&1
    [ $? -eq 2 ]
}

check "a file that is no model" run MODEL=README.md
check "names the known ones" said 'vgg16, vgg19, vgg16_bn and vgg19_bn'
check "and says what a path looks like" said '\.safetensors'
check "a model file that is not there" run MODEL=nowhere/x.safetensors
check "is named" said 'nowhere/x.safetensors'
check "neither built anything" said_not ' CC '

# train MAKE-ARGUMENTS: likewise.
train() {
    make --no-print-directory train VGG_DEPS=none "$@" >"$directory/out" 2>&1
    [ $? -eq 2 ]
}

photos=$directory/photos
mkdir -p "$photos/cup" "$photos/plate"
touch "$photos/cup/1.jpg" "$photos/plate/notes.txt"
check "train without photographs" train
check "shows how they are kept" said 'PHOTOS=DIR: .*DIR/cup/1\.jpg'
check "train on no directory" train PHOTOS=nowhere
check "names it" said 'PHOTOS=nowhere'
check "train on one class" train PHOTOS="$photos"
check "asks for two" said 'at least 2 folders .*photos/cup/1\.jpg and .*photos/plate/2\.jpg'
touch "$photos/plate/2.PNG"
check "train on a base that is not there" train PHOTOS="$photos" BASE=nowhere/x.safetensors
check "names it too" said 'BASE=nowhere/x\.safetensors: there is no such file'
check "train on no known base" train PHOTOS="$photos" BASE=vgg17
check "names those that are" said 'vgg16, vgg19, vgg16_bn and vgg19_bn'
check "nothing was built for it" said_not ' CC '

# train_sh WORDS...: docker/train.sh in a checkout of its own, with a vgg that says how it was called.
mkdir -p "$directory/checkout"
cp -r docker "$directory/checkout"
# shellcheck disable=SC2016 # the script expands it
fake vgg 'for word; do printf "<%s>" "$word"; done; echo'
train_sh() {
    (cd "$directory/checkout" && PHOTOS=$photos sh docker/train.sh "$@") >"$directory/out" 2>&1
}

check "a download is said before it" train_sh check
check "with its size" said 'vgg16 is downloaded first (over 550 MB, once)'
check "and what does without" said 'BASE=embedded'
mkdir "$directory/checkout/models" && touch "$directory/checkout/models/vgg16.safetensors"
check "one that is there is not" train_sh check
check "downloaded again" said_not downloaded
check "it trains" train_sh run "$directory/bin/vgg" --balance
check "on the published network" said \
    "^<train><--base><models/vgg16.safetensors><-o><models/photos.safetensors><--balance><--><$photos>"
mv "$photos" "$directory/vgg16" && photos=$directory/vgg16
BASE=embedded
export BASE
check "or on the embedded one" train_sh run "$directory/bin/vgg"
check "never over a published file" said '<--base><embedded><-o><models/my-vgg16.safetensors>'
unset BASE

check "no compiler, no complaint of make's own" sh -c \
    "make -n clean CC=no-such-compiler >'$directory/out' 2>&1 && ! grep -qi no-such '$directory/out'"
check "gcc is the compiler where none is named" sh -c \
    "env -u CC make -p -n clean 2>/dev/null | grep -q '^CC := gcc'"
check "clean removes what BUILD names" sh -c \
    "make -n clean BUILD='$directory/b' | grep -qx 'rm -rf $directory/b'"

# But for parts of others.
targets=$(make -pn help 2>/dev/null | sed -n 's/^\.PHONY: //p' | tr ' ' '\n' |
    grep -vx -e FORCE -e list -e programs -e test_programs -e fuzzers)
check "there are targets to list" [ "$(echo "$targets" | wc -l)" -ge 20 ]
make --no-print-directory help >"$directory/out" 2>&1
for target in $targets; do
    check "make help lists $target" grep -qw -e "$target" "$directory/out"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
