#!/bin/sh
# Fuzz images, multipart bodies, infer requests, models and what clients send by libFuzzer, each for
# so many seconds, from files of every kind. What was found to be new stays in BUILD/corpus for the
# next time; a finding is kept as BUILD/crash-* and ends with exit status 1.
#
#   tests/fuzz/run.sh BUILD SECONDS VGG
set -u

build=$1
seconds=$2
vgg=$3

# seed NAME DIRECTORY: what to begin with, made rather than kept.
seed() {
    case $1 in
    image) PYTHONPATH=tests/pillow /usr/bin/python3 tests/fuzz/seeds.py "$2" ;;
    multipart)
        for boundary in a XyZ 'a b'; do
            {
                printf 'multipart/form-data; boundary="%s"\n--%s\r\n' "$boundary" "$boundary"
                printf 'Content-Disposition: form-data; name="i"; filename="a.jpg"\r\n\r\nhello'
                printf '\r\n--%s\r\nContent-Disposition: form-data; name="n"\r\n\r\n1' "$boundary"
                printf '\r\n--%s--\r\n' "$boundary"
            } >"$2/$boundary"
        done
        ;;
    v2)
        /usr/bin/python3 - "$2" <<'END'
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "tests/v2")
from specified_client import Input

outputs = [{"name": "posteriors", "parameters": {"classification": 2, "binary_data": True}}]
values = [0.5, -1e-3, 2.0] * 4
for i, tensor in enumerate(Input(name, datatype, shape, data, binary=binary)
                           for binary in (False, True)
                           for name, datatype, shape, data in (
                               ("image", "BYTES", [2, 1], [b"one", b"three"]),
                               ("pixels", "FP32", [1, 3, 2, 2], values))):
    text = json.dumps({"id": "\u00e9", "inputs": [tensor.description], "outputs": outputs,
                       "parameters": {"scales": "32,64", "flip": False, "timeout": 5}}).encode()
    with open(f"{sys.argv[1]}/{i}", "wb") as file:
        file.write(len(text).to_bytes(2, "big") + text + tensor.binary)
END
        ;;
    gate)
        /usr/bin/python3 - "$2" <<'END'
import itertools, sys

lines = [b"GET /a?b=c HTTP/1.1", b"POST http://h:80/x HTTP/1.1", b"OPTIONS * HTTP/1.1",
         b"HEAD / HTTP/1.0", b"GET  / HTTP/1.1", b"GET / HTTP/2.0"]
bodies = [(b"", b""), (b"Content-Length: 5 \r\n", b"ab\r\nc"),
          (b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde"),
          (b"Transfer-Encoding: chunked\r\n", b"5;a=b\r\nabcde\r\n0A\r\n0123456789\r\n0\r\nA: b\r\n\r\n"),
          (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"1\r\na\r\n0\r\n\r\n"),
          (b"Transfer-Encoding: gzip, chunked\r\n", b"1\na\r\n0\r\n\r\n")]
headers = [b"", b"Expect: 100-continue\r\nCookie: a=b; c\r\n", b"Connection: close\r\n", b"X : a\r\n b\r\n"]
host = b"Host: [::1]:80 \r\n"
requests = [line + b"\r\n" + host + more + length + b"\r\n" + body for line, more, (length, body)
            in itertools.product(lines, headers, bodies)]
for i, request in enumerate(requests):
    with open(f"{sys.argv[1]}/{i}", "wb") as file:
        file.write(bytes([i * 37 % 256]) + requests[i * 5 % 7] + b"\r\n" + request + requests[3])
END
        ;;
    model)
        for arch in A A-LRN B C D E; do
            "$vgg" init --arch $arch --width 1 --fc 2 --classes 2 --crop 32 -o "$2/$arch" || return 1
        done
        /usr/bin/python3 - "$2/A" "$2/typicality" <<'END'
import json, struct, sys

model = open(sys.argv[1], "rb").read()
end = 8 + struct.unpack("<Q", model[:8])[0]
header, data = json.loads(model[8:end]), model[end:]
for name, shape in ("transform", [2, 2]), ("means", [2, 2]), ("distances", [4]):
    values = struct.pack("<4f", 0, 0.5, 1, 2)
    header["typicality." + name] = {"dtype": "F32", "shape": shape,
                                    "data_offsets": [len(data), len(data) + len(values)]}
    data += values
header["__metadata__"]["vgg.typicality.reject"] = "0.01"
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data)
END
        ;;
    esac
}

passed=0 failed=0
for name in image multipart v2 gate model; do
    mkdir -p "$build/corpus/$name" "$build/seeds/$name"
    seed $name "$build/seeds/$name" || exit 1
    /usr/bin/python3 -m zipfile -e "tests/fuzz/corpus/$name.zip" "$build/seeds/$name" || exit 1
    echo "== $name: $(find "$build/seeds/$name" -type f | wc -l) seeds, $seconds s"
    if "$build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
        -max_len=65536 -artifact_prefix="$build/crash-$name-" -print_final_stats=1 \
        "$build/corpus/$name" "$build/seeds/$name" >"$build/$name.log" 2>&1; then
        grep -e '^stat::number_of_executed_units' -e '^stat::new_units_added' -e '^stat::peak_rss_mb' \
            "$build/$name.log"
        passed=$((passed + 1))
    else
        tail -n 60 "$build/$name.log"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
