#!/bin/sh
# A narrow network under wrk: soak.sh VGG. SOAK_SECONDS (default 30) is how long.
#
# Nothing but 200 and 503 is answered, the server's own count agrees with wrk's, memory and file
# descriptors stay where they are, and SIGTERM ends it well.
set -eu

vgg=$1
here=$(dirname "$0")
seconds=${SOAK_SECONDS:-30}
connections=16
directory=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$directory"' EXIT
passed=0
failed=0

# check WHAT CONDITION...: the condition is a command.
check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $what"
    fi
}

resident_kb() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"
}

descriptors() {
    set -- "/proc/$server/fd"/*
    echo $#
}

# Answers of /classify with a status that matches, by the server's own count.
counted() {
    curl -sf "http://$address/metrics" |
        awk -v code="code=\"$1\"" '
            /^vgg_http_requests_total\{route="\/classify"/ && $0 ~ code { sum += $2 }
            END { printf "%d\n", sum }'
}

# The value of "NAME VALUE" in wrk's report.
reported() {
    sed -n "s/^$1 //p" "$directory/report"
}

/usr/bin/python3 - "$directory/photo.jpg" <<'END'
import sys
from PIL import Image
side = Image.linear_gradient("L").resize((320, 240))
Image.merge("RGB", (side, side.rotate(180), side.transpose(0))).save(sys.argv[1], quality=90)
END
"$vgg" init --width 4 --fc 16 --classes 10 --crop 32 -o "$directory/model.safetensors"
"$vgg" serve --model "$directory/model.safetensors" --scales 64,96 --listen 127.0.0.1:0 \
    --admin-listen 127.0.0.1:0 >"$directory/ready" 2>"$directory/log" &
server=$!
while ! grep -q '^vgg: ready' "$directory/ready"; do
    kill -0 "$server" || { cat "$directory/log"; exit 1; }
    sleep 0.1
done
address=$(sed -n 's/^vgg: ready on \([^,]*\),.*/\1/p' "$directory/ready")

curl -sf --data-binary "@$directory/photo.jpg" "http://$address/classify" >/dev/null
sleep 1
descriptors_before=$(descriptors)
wrk -t 2 -c "$connections" -d "${seconds}s" --timeout 10s -s "$here/../load/post.lua" \
    "http://$address/classify" -- "$directory/photo.jpg" >"$directory/report" &
wrk=$!
# The first third warms up; what is resident then must do for the rest.
sleep $(((seconds + 2) / 3))
resident_before=$(resident_kb)
wait "$wrk" || check "wrk ran" false
resident_after=$(resident_kb)

# Connections are closed a moment after wrk has gone.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(descriptors)" -le "$descriptors_before" ] && break
    sleep 0.5
done
ok=$(reported count_ok)
shed=$(reported count_shed)
served=$(($(counted 200) - 1)) # but the one before wrk
refused=$(counted 503)
all=$(counted '[0-9]*')

check "some requests were answered with 200" [ "$ok" -gt 0 ]
check "only 200 and 503: $(reported count_other) others" [ "$(reported count_other)" -eq 0 ]
for error in connect read write timeout; do
    check "no $error errors: $(reported errors_$error)" [ "$(reported errors_$error)" -eq 0 ]
done
# wrk leaves while up to a request for each connection is under way.
check "200s: wrk $ok, server $served" [ "$served" -ge "$ok" ]
check "200s: wrk $ok, server $served" [ "$served" -le $((ok + connections)) ]
check "503s: wrk $shed, server $refused" [ "$refused" -ge "$shed" ]
check "503s: wrk $shed, server $refused" [ "$refused" -le $((shed + connections)) ]
check "the server counted no other status: $all" [ "$all" -eq $((served + 1 + refused)) ]
check "resident memory: $resident_before -> $resident_after kB" \
    [ "$((resident_after * 100))" -lt "$((resident_before * 105))" ]
check "descriptors: $descriptors_before -> $(descriptors)" \
    [ "$(descriptors)" -le "$descriptors_before" ]
check "the server still answers" curl -sfo /dev/null "http://$address/readyz"
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
check "SIGTERM: exit status $status" [ "$status" -eq 0 ]

grep -E '^(requests/s|p50|p99)' "$directory/report" || check "wrk reported" false
echo "measured: resident $resident_before -> $resident_after kB, $ok answered, $shed refused"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
