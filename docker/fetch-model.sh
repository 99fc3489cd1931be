#!/bin/sh
# Download one of the public VGG weight files; print its path, and nothing else, on stdout.
#
#   docker/fetch-model.sh [-v|-n] vgg16|vgg19|vgg16_bn|vgg19_bn DIR
#
# -v says so where the file is there already; -n only checks the name.
#
# The file appears as DIR/NAME.safetensors only when it is whole and its sha256 is right. Until then
# it is NAME.safetensors.part, which the next run resumes. A file that is there is taken as it is.
#
#   VGG_HUB       base URL of the hub or of a mirror (default https://huggingface.co)
#   VGG_HUB_SUMS  for a private mirror with your own files: the sums to check against instead of the
#                 published ones, as sha256sum prints them ("<sha256>  NAME.safetensors")
#
# Exit status: 0 the file is there, 1 it is not, 2 wrong usage, 130 interrupted.
set -eu

tries_max=10 # requests in one run
idle_max=4   # failed ones in a row that brought no byte

say() {
    printf 'fetch-model: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

usage() {
    printf 'usage: fetch-model.sh [-v|-n] vgg16|vgg19|vgg16_bn|vgg19_bn DIR\n' >&2
    exit 2
}

# sha256 and size (MB, rounded up) of what timm publishes.
published() {
    case $1 in
    vgg16) echo 57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8 554 ;;
    vgg19) echo 11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669 575 ;;
    vgg16_bn) echo 88bbedbc8e780413736db38ac4efd41b06fc0e93fd5b8879b584bba63a950129 554 ;;
    vgg19_bn) echo f8249087e63bae61c6166bb23d7c26efe1b2a43fd9fb5cd60ac6ce00535ba312 575 ;;
    *) return 1 ;;
    esac
}

# The expected sha256 into $sum, the expected size in MB into $size_mb (0: not known).
expect() {
    if [ -n "${VGG_HUB_SUMS:-}" ]; then
        [ -r "$VGG_HUB_SUMS" ] || fail "VGG_HUB_SUMS: cannot read '$VGG_HUB_SUMS'"
        sum=$(awk -v file="$name.safetensors" \
            '$2 == file || $2 == "*" file { print tolower($1); exit }' "$VGG_HUB_SUMS")
        [ -n "$sum" ] || fail "VGG_HUB_SUMS: no line for $name.safetensors in '$VGG_HUB_SUMS'"
        size_mb=0
    else
        read -r sum size_mb <<END
$(published "$name")
END
    fi
}

part_bytes() {
    if [ -f "$part" ]; then
        wc -c <"$part"
    else
        echo 0
    fi
}

part_mb() {
    echo $(($(part_bytes) / 1000000))
}

free_mb() {
    df -Pk "$dir" | awk 'NR == 2 { printf "%d", $4 * 1.024 / 1000 }'
}

by_hand() {
    say "by hand: download"
    say "    $url"
    say "check that its sha256 is $sum, and put it at"
    say "    $final"
    exit 1
}

# Stop because the disk is full; $1 says how it showed.
no_room() {
    if [ "$size_mb" -gt 0 ]; then
        need="$name.safetensors is $size_mb MB, $(part_mb) MB of it are there"
    else
        need="$(part_mb) MB are there"
    fi
    say "$1 in '$dir': $need, $(free_mb) MB are free"
    fail "make room and run this again; it goes on from $part"
}

check_room() {
    free=$(free_mb)
    [ -n "$free" ] && [ "$size_mb" -gt 0 ] || return 0
    [ $((size_mb - $(part_mb))) -le "$free" ] || no_room "not enough room"
}

# One request for what is missing. Sets $status (of curl), $http and $reason.
request() {
    protocols=https
    case $hub in
    http:*) protocols=http,https ;;
    esac
    meter=--silent
    [ ! -t 2 ] || meter=--progress-bar
    status=0
    # curl inherits the lock: should this shell be killed, nobody else writes while curl does.
    answer=$(curl -q "$meter" --fail --location --max-redirs 10 \
        --proto "=$protocols" --proto-redir "=$protocols" \
        --connect-timeout 20 --speed-limit 1000 --speed-time 30 \
        --continue-at - --output "$part" --write-out '%{http_code} %{errormsg}' \
        -- "$url") || status=$?
    http=${answer%% *}
    reason=${answer#* }
    [ -n "$reason" ] || reason="curl status $status"
}

# Is a request that ended like this worth repeating?
transient() {
    case $status in
    5 | 6 | 7) [ "$received" = yes ] ;; # unreachable: offline, unless it was there just now
    16 | 18 | 28 | 35 | 52 | 55 | 56 | 92) ;; # cut, stalled, reset, TLS or HTTP/2 trouble
    22)
        case $http in
        408 | 425 | 429 | 5??) ;;
        *) return 1 ;;
        esac
        ;;
    *) return 1 ;;
    esac
}

# Stop because of $status, $http and $reason.
give_up() {
    case $status in
    22) say "the hub answers $http for $url" ;;
    23) no_room "cannot write ($reason)" ;;
    18 | 28 | 52 | 55 | 56 | 92) say "the connection keeps breaking: $reason" ;;
    *) say "cannot reach $hub: $reason" ;;
    esac
    if [ "$(part_bytes)" -gt 0 ]; then
        say "$(part_mb) MB are kept in $part; run this again to go on from there, or"
    fi
    by_hand
}

# Requests until the part is whole, as far as the server's word goes.
download() {
    tries=0
    idle=0
    received=no
    while :; do
        before=$(part_bytes)
        request
        tries=$((tries + 1))
        if [ "$status" -eq 0 ]; then
            return 0
        fi
        if [ "$status" -eq 33 ]; then
            say "the server cannot resume; starting from the beginning"
            rm -f "$part"
            resumed=no
        elif [ "$status" -eq 22 ] && [ "$http" = 416 ]; then
            return 0 # nothing after the part: whole or too long, the sum tells
        elif ! transient; then
            give_up
        fi
        if [ "$(part_bytes)" -gt "$before" ]; then
            received=yes
            idle=0
        else
            idle=$((idle + 1))
        fi
        if [ "$tries" -ge "$tries_max" ] || [ "$idle" -ge "$idle_max" ]; then
            give_up
        fi
        [ "$status" -ne 33 ] || continue
        say "interrupted at $(part_mb) MB ($reason); trying again"
        sleep $((idle > 0 ? 1 << (idle - 1) : 1))
    done
}

# Does the part have the expected sha256? Its own goes into $found.
part_is_right() {
    [ -f "$part" ] || : >"$part" # an empty body leaves no file behind
    found=$(sha256sum <"$part")
    found=${found%% *}
    [ "$found" = "$sum" ]
}

fetch() {
    if [ "$(part_bytes)" -gt 0 ]; then
        say "going on with $url at $(part_mb) MB"
        resumed=yes # on bytes of an earlier run, which nobody vouches for
    else
        say "downloading $url$([ "$size_mb" -eq 0 ] || echo " ($size_mb MB)")"
        resumed=no
    fi
    check_room
    download
    if ! part_is_right && [ "$resumed" = yes ]; then
        say "the part left by an earlier run does not fit; starting from the beginning"
        rm -f "$part"
        download
        part_is_right || :
    fi
    if [ "$found" != "$sum" ]; then
        rm -f "$part"
        say "wrong checksum, the download is deleted: $url"
        say "    expected sha256 $sum"
        fail "    received sha256 $found"
    fi
    sync "$part" # its bytes are on the disk before its name is
    mv -f "$part" "$final"
    sync "$dir"
    say "$final is whole, its sha256 is right"
}

interrupted() {
    trap - INT TERM HUP
    say "interrupted; $(part_mb) MB are kept in $part"
    exit 130
}

verbose=no
only_name=no
case ${1:-} in
-v) verbose=yes && shift ;;
-n) only_name=yes && shift ;;
esac
[ $# -eq 2 ] || usage
[ -n "$2" ] || usage
name=$1
published "$name" >/dev/null || {
    say "unknown model '$name': known are vgg16, vgg19, vgg16_bn and vgg19_bn, which are downloaded;"
    say "the path of any other model file ends in .safetensors"
    exit 2
}
[ "$only_name" = no ] || exit 0
case $2 in
-*) dir=./$2 ;;
*) dir=$2 ;;
esac
final=${dir%/}/$name.safetensors
part=$final.part
lock=${dir%/}/.$name.safetensors.lock

if [ -f "$final" ]; then
    [ "$verbose" = no ] || say "$final is already there"
    printf '%s\n' "$final"
    exit 0
fi
[ ! -e "$final" ] || fail "'$final' is in the way: not a file"

hub=${VGG_HUB:-https://huggingface.co}
hub=${hub%/}
case $hub in
http://?* | https://?*) ;;
*) fail "VGG_HUB: '$hub' is not an http or https URL" ;;
esac
url=$hub/timm/$name.tv_in1k/resolve/main/model.safetensors
expect
for tool in curl sha256sum flock; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing (docker/deps.sh fetch: curl)"
done

mkdir -p "$dir" 2>/dev/null || fail "cannot create the directory '$dir'"
[ -w "$dir" ] || fail "cannot write in '$dir'"
for file in "$part" "$lock"; do # perhaps another user's
    [ ! -e "$file" ] || [ -w "$file" ] || fail "cannot write '$file'"
done
exec 9>>"$lock"
if ! flock -n 9; then
    say "another run is downloading $name; waiting for it"
    flock 9
fi
if [ ! -f "$final" ]; then # the other run may have brought it
    trap interrupted INT TERM HUP
    fetch
fi
# From here on every run stops at the file itself, so nobody needs the lock any more.
rm -f "$lock"
printf '%s\n' "$final"
