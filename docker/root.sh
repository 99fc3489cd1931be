#!/bin/sh
# Lay out the root of the image: the program, what it loads, and their licences.
#
#   docker/root.sh PROGRAM DIRECTORY
#
# Run where PROGRAM was built, on Debian. There is nothing else in the image: no shell, no packages.
set -eu

program=$1
root=$2

install -D -m 755 "$program" "$root/usr/bin/vgg"
strip "$root/usr/bin/vgg"
install -D -m 644 LICENSE "$root/usr/share/doc/vgg/copyright"

# "libm.so.6 => /lib/.../libm.so.6 (0x...)" and "/lib64/ld-linux-x86-64.so.2 (0x...)".
for library in $(ldd "$program" | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p'); do
    install -D -m 755 "$library" "$root$library"
    package=$(dpkg -S "$library" 2>/dev/null || dpkg -S "/usr$library" 2>/dev/null ||
        dpkg -S "$(readlink -f "$library")")
    package=${package%%:*}
    install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

# What is linked statically.
for package in libopenblas-pthread-dev libwebp-dev; do
    copyright=/usr/share/doc/$package/copyright
    install -D -m 644 "$copyright" "$root$copyright"
done

install -d -m 755 "$root/etc"
echo 'vgg:x:10001:10001::/nonexistent:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'vgg:x:10001:' >"$root/etc/group"
