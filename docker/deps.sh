#!/bin/sh
# Install what vgg needs and lacks from the packages of Debian 12, Ubuntu 22.04 or later.
#
#   docker/deps.sh GROUP...
#
# Prints nothing and asks for nothing when everything is there. VGG_DEPS=skip skips the check, for
# systems where the same libraries came from somewhere else.
set -eu

usage='usage: deps.sh build|test|lint|fuzz|deb|long|page|clients|peers|fetch|neon|docker...'

# The only list of packages. "a|b": either will do, the first is what gets installed.
build_packages='gcc make libc6-dev libmicrohttpd-dev libgnutls28-dev libjansson-dev libopenblas-pthread-dev
    nettle-dev libjpeg-dev|libjpeg62-turbo-dev|libjpeg-turbo8-dev zlib1g-dev libwebp-dev'
test_packages='g++ libcmocka-dev libpng-dev libcurl4-openssl-dev|libcurl4-gnutls-dev curl python3 python3-pil
    python3-numpy wrk clang-format pkgconf|pkg-config'
fuzz_packages='clang libclang-rt-dev|libclang-rt-14-dev|libclang-common-14-dev python3 python3-pil'
deb_packages='dpkg-dev debhelper fakeroot lintian git'
lint_packages='clang-tidy shellcheck git'
fetch_packages='curl ca-certificates'
long_packages='prometheus' # not for tests: where there is systemd, it starts a daemon
peers_packages='python3-torch python3-numpy python3-pil python3-venv'
page_packages='chromium fonts-liberation nodejs'
clients_packages='python3 python3-venv nodejs
    default-jre-headless|openjdk-17-jre-headless'
# For another architecture, which is added to dpkg's when something is missing.
neon_packages='gcc-aarch64-linux-gnu qemu-user python3-pil libmicrohttpd-dev:arm64
    libgnutls28-dev:arm64 libjansson-dev:arm64 libopenblas-pthread-dev:arm64 nettle-dev:arm64
    libjpeg62-turbo-dev:arm64 zlib1g-dev:arm64 libwebp-dev:arm64 libpng-dev:arm64
    libcmocka-dev:arm64 libcurl4-openssl-dev:arm64'
docker_packages='buildah debootstrap python3 python3-pil'

say() {
    printf 'deps: %s\n' "$*" >&2
}

# npm comes with Node.js or in a package of its own.
npm_package() {
    command -v npm >/dev/null || echo npm
}

# The packages of the groups "$@", in the notation above.
packages_of() {
    for group in "$@"; do
        case $group in
        build) printf '%s ' "$build_packages" ;;
        test) printf '%s ' "$build_packages $test_packages" ;;
        fuzz) printf '%s ' "$fuzz_packages" ;;
        deb) printf '%s ' "$deb_packages" ;;
        lint) printf '%s ' "$build_packages $test_packages $lint_packages" ;;
        fetch) printf '%s ' "$fetch_packages" ;;
        long) printf '%s ' "$build_packages $test_packages $long_packages" ;;
        page) printf '%s ' "$build_packages $page_packages $(npm_package)" ;;
        clients) printf '%s ' "$build_packages $clients_packages $(npm_package)" ;;
        peers) printf '%s ' "$peers_packages" ;;
        neon) printf '%s ' "$neon_packages" ;;
        docker) printf '%s ' "$docker_packages" ;;
        *)
            say "unknown group '$group'; $usage"
            return 2
            ;;
        esac
    done
}

# Names of the installed packages, one a line; another architecture's with ":ARCHITECTURE".
installed_packages() {
    arch=$(dpkg --print-architecture)
    # shellcheck disable=SC2016  # the ${...} are dpkg-query's
    dpkg-query -W -f '${db:Status-Status} ${Architecture} ${Package}\n' |
        sed -n -e "s/^installed $arch //p" -e 's/^installed all //p' \
            -e 's/^installed \([^ ]*\) \(.*\)/\2:\1/p'
}

# What to install of "$@" so that each is there in one of its alternatives.
missing_of() {
    installed=" $(installed_packages | tr '\n' ' ') "
    for alternatives in "$@"; do
        found=no
        for package in $(printf '%s' "$alternatives" | tr '|' ' '); do
            case $installed in
            *" $package "*) found=yes ;;
            esac
        done
        [ "$found" = yes ] || printf '%s ' "${alternatives%%|*}"
    done
}

install_packages() {
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        say "missing: $*"
        say "neither root nor sudo here; have an administrator run"
        say "    apt-get update && apt-get install --no-install-recommends $*"
        return 1
    fi
    say "installing${as_root:+ with sudo} (what apt prints is shown only if it fails): $*"
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    case "$*" in
    *:arm64*) $as_root dpkg --add-architecture arm64 ;;
    esac
    # Stale package lists may still do, so a failed update alone is no reason to give up.
    $apt update >"$log" 2>&1 || {
        cat "$log" >&2
        say "apt-get update failed; trying with the package lists at hand"
    }
    if ! $apt install -y --no-install-recommends "$@" >"$log" 2>&1; then
        cat "$log" >&2
        say "apt-get could not install: $*"
        return 1
    fi
    say "installed"
}

main() {
    if [ $# -eq 0 ]; then
        say "$usage"
        return 2
    fi
    list=$(packages_of "$@")
    [ "${VGG_DEPS:-}" != skip ] || return 0
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        say "no apt here; install what these Debian packages hold, then set VGG_DEPS=skip:"
        # shellcheck disable=SC2086  # a list of words
        say $list
        return 1
    fi
    # shellcheck disable=SC2086
    missing=$(missing_of $list)
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_packages $missing
}

main "$@"
