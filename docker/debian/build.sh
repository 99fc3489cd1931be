#!/bin/sh
# Build the Debian packages of this tree, as git has it, in a copy below DIRECTORY, and check them.
#
#   docker/debian/build.sh DIRECTORY
set -eu

directory=$1
version=$(sed -n 's/^#define VGG_VERSION "\(.*\)"/\1/p' include/vgg.h)
packaged=$(sed -n '1s/^vgg (\(.*\)).*/\1/p' docker/debian/changelog)
if [ "$version" != "$packaged" ]; then
    echo "deb: include/vgg.h is version $version, docker/debian/changelog $packaged" >&2
    exit 1
fi
copy=$directory/vgg-$version
rm -rf "$directory"
mkdir -p "$copy"
git ls-files -z | xargs -0 cp --parents -t "$copy"
cp -R "$copy/docker/debian" "$copy/debian"
rm -f "$copy/debian/build.sh"
log=$directory/build.log
if ! (cd "$copy" && DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -b -us -uc) >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "deb: the packages could not be built; all of it: $log" >&2
    exit 1
fi
rm -rf "$copy"
lintian --allow-root --fail-on error \
    "$directory"/*.changes
ls "$directory"/*.deb
