#!/usr/bin/python3
"""vgg serve against a v2 client written from the specification alone (specified_client.py).

    check_v2.py VGG

Health, metadata, JSON and binary inference, a batch, classification, tensors, limits and what must
be refused. Exit status 1 where anything is not as it should be.
"""

import sys

sys.dont_write_bytecode = True

import base64
import gzip
import json
import os
import random
import re
import socket
import struct
import subprocess
import tempfile
import traceback
import zlib

from specified_client import Client, Input, Refused, read_answer

CLASSES, FEATURES, SCALE = 10, 16, 64
passed, failed = 0, 0


def check(name, function, *arguments):
    global passed, failed
    try:
        function(*arguments)
        passed += 1
        print(f"ok   {name}", flush=True)
    except Exception as error:
        failed += 1
        text = str(error) if isinstance(error, AssertionError) else ""
        print(f"FAIL {name}: {text or traceback.format_exc()}", flush=True)


def single(value):
    """The nearest FP32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


# ---------------------------------------------------------------- the server


class Server:
    def __init__(self, vgg, *options):
        self.process = subprocess.Popen(
            [vgg, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        ports = re.findall(r":(\d+)", line)
        assert len(ports) == 2, f"not ready: {line!r} {self.process.stderr.read()}"
        self.client, self.admin = Client(int(ports[0])), Client(int(ports[1]))

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.process.terminate()
        _, log = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, f"the server ended with {self.process.returncode}: {log}"


# ---------------------------------------------------------------- pictures


class Picture:
    """RGB noise over a gradient, as a PNG and as its pixels."""

    def __init__(self, width, height, seed):
        noise = random.Random(seed)
        self.width, self.height = width, height
        self.rgb = bytes((x * 3 + y * 2 + c * 50 + noise.randrange(60)) % 256
                         for y in range(height) for x in range(width) for c in range(3))

    def png(self):
        def chunk(kind, data):
            return (struct.pack(">I", len(data)) + kind + data +
                    struct.pack(">I", zlib.crc32(kind + data)))

        rows = b"".join(b"\0" + self.rgb[y * self.width * 3:(y + 1) * self.width * 3]
                        for y in range(self.height))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

    def tensor(self, model):
        """[3][height][width], normalised as GET /model says."""
        how = model["preprocessing"]
        order = ["RGB".index(channel) for channel in how["channels"]]
        return [single((self.rgb[i * 3 + order[c]] / 255 - how["mean"][c]) / how["std"][c])
                for c in range(3) for i in range(self.width * self.height)]


PICTURES = [Picture(SCALE + 20, SCALE, 1), Picture(SCALE, SCALE + 9, 2), Picture(SCALE, SCALE, 3)]


def images(pictures, **how):
    return Input("image", "BYTES", [len(pictures)], [p.png() for p in pictures], **how)


def posteriors(answer, n, classes=CLASSES):
    output, = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == \
        ("posteriors", "FP32", [n, classes]), output
    values = answer["values"]["posteriors"]
    rows = [values[i * classes:(i + 1) * classes] for i in range(n)]
    for row in rows:
        assert abs(sum(row) - 1) < 1e-5, row
    return [[single(value) for value in row] for row in rows]


def classify(client, picture, query):
    status, _, body = client.send("POST", "/classify?top_k=1000&" + query, picture.png())
    assert status == 200, body
    scores = {entry["index"]: entry["score"] for entry in json.loads(body)["top"]}
    return [single(scores[i]) for i in range(len(scores))]


# ---------------------------------------------------------------- what must work


def health_and_metadata(client, name):
    assert client.live() and client.ready()
    server = client.server()
    assert server["name"] == "vgg" and isinstance(server["version"], str)
    assert {"classification", "binary_tensor_data"} <= set(server["extensions"])
    sha = client.get("/model")["version"]
    for version in (None, "1", sha):
        model = client.model(name, version)
        assert model["name"] == name and model["versions"] == ["1"], model
        assert isinstance(model["platform"], str)
        assert {(t["name"], t["datatype"], tuple(t["shape"])) for t in model["inputs"]} == \
            {("image", "BYTES", (-1,)), ("pixels", "FP32", (-1, 3, -1, -1))}
        assert model["outputs"] == \
            [{"name": "posteriors", "datatype": "FP32", "shape": [-1, CLASSES]},
             {"name": "features", "datatype": "FP32", "shape": [-1, FEATURES]}]
        assert client.model_ready(name, version)


def same_as_classify(client, name):
    expected = [classify(client, p, f"scales={SCALE},96&flip=on") for p in PICTURES]
    assert expected[0] != expected[1] != expected[2]
    for binary in (False, True):
        for asked in (None, [], [{"name": "posteriors"}],
                      [{"name": "posteriors", "parameters": {"binary_data": binary}}]):
            for whole in (True, False):
                answer = client.infer(name, [images(PICTURES, binary=binary)], asked, id="a \u00e9",
                                      parameters={"scales": f"{SCALE},96", "flip": True,
                                                  "binary_data_output": whole})
                assert answer["model_name"] == name and answer["model_version"] == "1"
                assert answer["id"] == "a \u00e9"
                assert posteriors(answer, 3) == expected
    answer = client.infer(name, [images(PICTURES[1:2])],
                          parameters={"scales": f"{SCALE},96", "flip": "on"})
    assert "id" not in answer
    assert posteriors(answer, 1) == expected[1:2]


def defaults_are_the_servers(client, name):
    expected = classify(client, PICTURES[0], "")
    assert posteriors(client.infer(name, [images(PICTURES[:1])]), 1) == [expected]
    assert classify(client, PICTURES[0], "flip=off") != expected
    answer = client.infer(name, [images(PICTURES[:1])], parameters={"flip": False})
    assert posteriors(answer, 1) == [classify(client, PICTURES[0], "flip=off")]
    answer = client.infer(name, [images(PICTURES[:1])], parameters={"scales": 96})
    assert posteriors(answer, 1) == [classify(client, PICTURES[0], "scales=96")]


def tensors_are_the_same_bits(client, name):
    model = client.get("/model")
    for picture in PICTURES:
        expected = [classify(client, picture, f"scales={SCALE}&flip=off")]
        values = picture.tensor(model)
        shape = [1, 3, picture.height, picture.width]
        for binary in (False, True):
            tensor = Input("pixels", "FP32", shape, values, binary=binary)
            assert posteriors(client.infer(name, [tensor]), 1) == expected
    picture = PICTURES[2]
    nested = [[[values[(c * picture.height + y) * picture.width:][:picture.width]
                for y in range(picture.height)] for c in range(3)]] * 2
    batch = Input("pixels", "FP32", [2, 3, picture.height, picture.width], nested)
    assert posteriors(client.infer(name, [batch]), 2) == expected * 2


def a_batch_of_tensors(client, name):
    model = client.get("/model")
    pictures = [Picture(48, 40, seed) for seed in range(3)]
    values = [value for picture in pictures for value in picture.tensor(model)]
    answer = client.infer(name, [Input("pixels", "FP32", [3, 3, 40, 48], values, binary=True)],
                          parameters={"binary_data_output": True})
    rows = posteriors(answer, 3)
    assert rows == [classify(client, picture, "scales=40&flip=off") for picture in pictures]
    assert rows[0] != rows[1] != rows[2]


def classification(client, name):
    _, _, body = client.send("POST", "/classify?top_k=4", PICTURES[0].png())
    top = json.loads(body)["top"]
    for binary in (False, True):
        for count in (4, 5000):
            asked = [{"name": "posteriors",
                      "parameters": {"classification": count, "binary_data": binary}}]
            answer = client.infer(name, [images(PICTURES[:1] * 2)], asked)
            output, = answer["outputs"]
            n = min(count, CLASSES)
            assert output["datatype"] == "BYTES" and output["shape"] == [2, n], output
            values = answer["values"]["posteriors"]
            assert values[:n] == values[n:]
            for element, expected in zip(values, top):
                score, index = element.split(":")
                assert int(index) == expected["index"]
                assert single(float(score)) == single(expected["score"])


def classification_has_labels(client, name):
    _, _, body = client.send("POST", "/classify?top_k=5", PICTURES[0].png())
    top = json.loads(body)["top"]
    asked = [{"name": "posteriors", "parameters": {"classification": 5}}]
    values = client.infer(name, [images(PICTURES[:1])], asked)["values"]["posteriors"]
    assert [element.split(":", 2)[1:] for element in values] == \
        [[str(entry["index"]), entry["label"]] for entry in top]


def features(client, name):
    """With the posteriors or alone, in either order, each as JSON or as binary data."""
    rows = []
    for picture in PICTURES:
        _, _, body = client.send("POST", "/classify?features=1", picture.png())
        rows.append([single(value) for value in json.loads(body)["features"]])
        assert len(rows[-1]) == FEATURES
    expected = posteriors(client.infer(name, [images(PICTURES)]), 3)
    for binary in ({"features": True, "posteriors": False}, {"features": False, "posteriors": True}):
        for names in (["features"], ["features", "posteriors"], ["posteriors", "features"]):
            asked = [{"name": n, "parameters": {"binary_data": binary[n]}} for n in names]
            answer = client.infer(name, [images(PICTURES)], asked)
            assert [output["name"] for output in answer["outputs"]] == names
            for output in answer["outputs"]:
                wanted = rows if output["name"] == "features" else expected
                assert ("binary_data_size" in output.get("parameters", {})) == \
                    binary[output["name"]]
                assert output["datatype"] == "FP32" and output["shape"] == [3, len(wanted[0])]
                assert [single(value) for value in answer["values"][output["name"]]] == \
                    [value for row in wanted for value in row]


def column_of_pictures(client, name):
    column = Input("image", "BYTES", [2, 1], [p.png() for p in PICTURES[:2]], binary=True)
    expected = posteriors(client.infer(name, [images(PICTURES[:2])]), 2)
    assert posteriors(client.infer(name, [column]), 2) == expected
    column = Input("image", "BYTES", [2, 1], [p.png() for p in PICTURES[:2]])
    column.description["data"] = [[text] for text in column.description["data"]]
    assert posteriors(client.infer(name, [column]), 2) == expected


def a_raw_picture(client, name):
    status, headers, body = client.send("POST", f"/v2/models/{name}/infer", PICTURES[0].png(),
                                        {"Inference-Header-Content-Length": "0"})
    assert status == 200, body
    expected = posteriors(client.infer(name, [images(PICTURES[:1])]), 1)
    assert posteriors(read_answer(headers, body), 1) == expected


def other_ways_to_write_it(client, name):
    """Escapes in names and base64, line ends in it, members in any order, null for nothing."""
    text = base64.encodebytes(PICTURES[0].png()).decode()
    body = ('\t{"outputs":null,"id":"\\u0031\\"","inputs" : [ {"d\\u0061ta":["' +
            text.replace("/", "\\/").replace("+", "\\u002b").replace("\n", "\\n") +
            '"],"shape":[1],"n\\u0061me":"im\\u0061ge","unknown":[{"a":[1e5]}],"datatype":"BYTES",'
            '"parameters":{"content_type":"base64"}}],"parameters":null,"x":-0.5e-3}\r\n')
    status, headers, answer = client.send("POST", f"/v2/models/{name}/infer", body.encode())
    assert status == 200, answer
    answer = read_answer(headers, answer)
    assert answer["id"] == '1"'
    assert posteriors(answer, 1) == posteriors(client.infer(name, [images(PICTURES[:1])]), 1)


def base64_of_others(client, name):
    """URL-safe, unpadded, indented, as a browser's data: URL."""
    expected = posteriors(client.infer(name, [images(PICTURES[:1])]), 1)
    png = PICTURES[0].png()
    urlsafe = base64.urlsafe_b64encode(png).decode()
    assert "-" in urlsafe and "_" in urlsafe
    for text in (urlsafe, urlsafe.rstrip("="), base64.b64encode(png).decode().rstrip("="),
                 "data:image/png;base64," + base64.b64encode(png).decode(),
                 "data:;base64," + urlsafe, " " + urlsafe + "\n",
                 "\n    ".join(base64.encodebytes(png).decode().split())):
        tensor = images(PICTURES[:1])
        tensor.description["data"] = [text]
        assert posteriors(client.infer(name, [tensor]), 1) == expected


def parameters_of_others(client, name):
    """Triton's, MLServer's and anybody's, which change nothing."""
    expected = posteriors(client.infer(name, [images(PICTURES[:1])]), 1)
    for parameters in ({"priority": 3, "sequence_id": 0, "sequence_start": False}, {"mine": [1]},
                       {"content_type": "np", "headers": {"a": "b"}}, {"sequence_id": ""},
                       {"timeout": 0, "scale": 5}):
        for how in ({}, {"content_type": "pillow_image", "mine": None}):
            asked = [{"name": "posteriors", "parameters": how}]
            answer = client.infer(name, [images(PICTURES[:1], **how)], asked,
                                  parameters=parameters)
            assert posteriors(answer, 1) == expected


def configuration(client, name):
    sha = client.get("/model")["version"]
    config = client.get(f"/v2/models/{name}/config")
    assert config["name"] == name and config["max_batch_size"] == 16, config
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["input"]] == \
        [("image", "TYPE_STRING", [1]), ("pixels", "TYPE_FP32", [3, -1, -1])]
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["output"]] == \
        [("posteriors", "TYPE_FP32", [CLASSES]), ("features", "TYPE_FP32", [FEATURES])]
    assert config["parameters"]["version"] == {"string_value": sha}
    for version in ("1", sha):
        assert client.get(f"/v2/models/{name}/versions/{version}/config") == config


def statistics(client, name):
    def read(path):
        stats, = client.get(path)["model_stats"]
        assert (stats["name"], stats["version"]) == (name, "1")
        ends = stats["inference_stats"]
        assert sum(b["compute_infer"]["count"] for b in stats["batch_stats"]) == \
            ends["success"]["count"] == ends["queue"]["count"] == stats["execution_count"]
        assert ends["success"]["ns"] >= ends["compute_output"]["ns"] > 0
        return stats

    def size(stats, n):
        return sum(b["compute_infer"]["count"] for b in stats["batch_stats"] if b["batch_size"] == n)

    before = read("/v2/models/stats")
    client.infer(name, [images(PICTURES[:3])])
    client.infer(name, [images(PICTURES[:1])])
    classify(client, PICTURES[0], "")
    refused(client, name, 422, [Input("image", "BYTES", [1], [PICTURES[0].png()[:-30]])])
    for path in (f"/v2/models/{name}/stats", f"/v2/models/{name}/versions/1/stats",
                 "/v2/models/stats"):
        after = read(path)
        assert after["inference_count"] - before["inference_count"] == 5
        assert after["execution_count"] - before["execution_count"] == 3
        assert after["inference_stats"]["fail"]["count"] - \
            before["inference_stats"]["fail"]["count"] == 1
        assert size(after, 3) - size(before, 3) == 1 and size(after, 1) - size(before, 1) == 2
        assert after["last_inference"] >= before["last_inference"] > 0


# ---------------------------------------------------------------- what must be refused


def refused(client, name, status, tensors, outputs=None, **members):
    try:
        answer = client.infer(name, tensors, outputs, **members)
    except Refused as error:
        assert error.status == status, f"{error}, not {status}"
        assert error.headers["X-Request-Id"]
        return error
    raise AssertionError(f"answered: {str(answer)[:200]}")


def names_and_versions(client, name):
    for path in ("/v2/models/other", f"/v2/models/{name}/versions/2", "/v2/models/", "/v2/x",
                 f"/v2/models/{name}/versions/sha256:0", f"/v2/models/{name}/trace/setting",
                 f"/v2/models/{name}/versions/2/stats", "/v2/models/other/config",
                 "/v2/repository/index", f"/v2/models/{name}/versions/2/ready"):
        try:
            client.get(path)
        except Refused as error:
            assert error.status == 404, f"{path}: {error}"
        else:
            raise AssertionError(f"{path} is there")
    for version in ("2", "01", "sha256:" + "0" * 64):
        refused(client, name, 404, [images(PICTURES[:1])], version=version)
    refused(client, "other", 404, [images(PICTURES[:1])])
    for method, path in (("GET", f"/v2/models/{name}/infer"), ("POST", "/v2")):
        status, headers, body = client.send(method, path)
        assert status == 405 and headers["Allow"] and set(json.loads(body)) == {"error"}


def bad_shapes(client, name):
    png = PICTURES[0].png()
    for shape in ([], [0], [2], [1, 2], [1, 1, 1], [-1], [1.0], ["1"], [1e0], [10 ** 30], None, 1,
                  [[1]], [1, 1, 1, 1, 1], [None], [True]):
        for binary in (False, True):
            refused(client, name, 400, [Input("image", "BYTES", shape, [png], binary=binary)])
    values = [0.5] * (3 * 40 * 40)
    for shape in ([1, 3, 40, 39], [1, 3, 40, 41], [3, 40, 40], [1, 1, 40, 120], [1, 40, 40, 3],
                  [1, 3, 4800, 0], [0, 3, 40, 40], [1, 4, 30, 40], [1, 3, 1600, 1]):
        for binary in (False, True):
            refused(client, name, 400, [Input("pixels", "FP32", shape, values, binary=binary)])
    for data in ([values, values], [[[values[:1600]] * 3]], [[[[0.5] * 40] * 40] * 2],
                 [[[[0.5] * 40] * 40, [[0.5] * 40] * 39 + [[0.5] * 41], [[0.5] * 40] * 40]], [],
                 0.5, {}, "x", values[:-1], values + [0.5], values[:-1] + ["0.5"],
                 values[:-1] + [None], values[:-1] + [[0.5]]):
        refused(client, name, 400, [Input("pixels", "FP32", [1, 3, 40, 40], data)])


def bad_datatypes(client, name):
    png, values = PICTURES[0].png(), [0.5] * (3 * 40 * 40)
    for datatype in ("FP32", "UINT8", "bytes", "", None, 3, ["BYTES"]):
        tensor = images(PICTURES[:1])
        tensor.description["datatype"] = datatype
        refused(client, name, 400, [tensor])
    for datatype in ("BYTES", "FP16", "FP64", "INT32"):
        tensor = Input("pixels", "FP32", [1, 3, 40, 40], values)
        tensor.description["datatype"] = datatype
        refused(client, name, 400, [tensor])
    for wrong in ("other", "", None, 5):
        refused(client, name, 400, [Input(wrong, "BYTES", [1], [png])])
    for text in ("no base64!", "QUJD=", "QUJDR", "QUJDRA=", "====", "QQ==QQ==", "\u00e9QUJ",
                 "b'QUJD'", "data:image/png,QUJD", 5, None):
        tensor = images(PICTURES[:1])
        tensor.description["data"] = [text]
        refused(client, name, 400, [tensor])


def bad_values(client, name):
    for value in (float("nan"), float("inf"), -float("inf")):
        values = [0.5] * (3 * 40 * 40 - 1) + [value]
        refused(client, name, 400, [Input("pixels", "FP32", [1, 3, 40, 40], values, binary=True)])
        refused(client, name, 400, [Input("pixels", "FP32", [1, 3, 40, 40], values)])
    for number in ("1e39", "-1e999", "1" * 400, "0x10", "01", "+1", "1.", ".5", "1e", "--1", "1,,1"):
        body = ('{"inputs":[{"name":"pixels","datatype":"FP32","shape":[1,3,40,40],"data":[' +
                "0," * 4799 + number + "]}]}")
        status, _, answer = client.send("POST", f"/v2/models/{name}/infer", body.encode())
        assert status == 400 and set(json.loads(answer)) == {"error"}, (number, answer)


def bad_requests(client, name):
    one = images(PICTURES[:1])
    refused(client, name, 400, [])
    refused(client, name, 400, [one, one])
    for binary in (False, True):
        pixels = Input("pixels", "FP32", [1, 3, 40, 40], [0.5] * 4800, binary=binary)
        for both in ([images(PICTURES[:1], binary=binary), pixels], [pixels, one], [pixels, pixels]):
            assert "one input" in refused(client, name, 400, both).error
    assert '"other"' in refused(client, name, 400, [one], [{"name": "other"}]).error
    for outputs in ([{"name": "other"}], [{}], [{"name": "posteriors"}] * 2, {}, [5],
                    [{"name": "features"}, {"name": "posteriors"}, {"name": "features"}],
                    [{"name": "features", "parameters": {"classification": 5}}],
                    [{"name": "posteriors", "parameters": {"classification": 0}}],
                    [{"name": "posteriors", "parameters": {"classification": "5"}}],
                    [{"name": "posteriors", "parameters": {"classification": -1}}],
                    [{"name": "posteriors", "parameters": {"binary_data": "yes"}}],
                    [{"name": "posteriors", "parameters": {"shared_memory_region": "x"}}]):
        refused(client, name, 400, [one], outputs)
    for parameters in ({"sequence_id": 5}, {"sequence_id": "a"}, {"scales": "20"}, {"scales": ""}, {"scales": "64,"},
                       {"scales": 64.5}, {"scales": [64]}, {"scales": "9" * 300}, {"flip": 1},
                       {"flip": "maybe"}, {"binary_data_output": 1}, {"timeout": -1}, [], 7,
                       {"scales": "64\0"}):
        refused(client, name, 400, [one], parameters=parameters)
    for parameters in ({"scales": "64"}, {"flip": False}):
        refused(client, name, 400, [Input("pixels", "FP32", [1, 3, 40, 40], [0.5] * 4800)],
                parameters=parameters)
    for number in (5, [], {}, True):
        refused(client, name, 400, [one], id=number)
    refused(client, name, 400, [images(PICTURES[:1], shared_memory_region="x")])


def an_empty_picture(client, name):
    for binary in (False, True):
        error = refused(client, name, 400, [Input("image", "BYTES", [2], [PICTURES[0].png(), b""],
                                                  binary=binary)])
        assert "picture 2 of input image is empty" in error.error, error


def bad_pictures(client, name):
    good = PICTURES[0].png()
    for bad, status in ((b"GIF89a" + bytes(50), 415), (good[:-30], 422), (b"", 400), (b"x", 415)):
        for binary in (False, True):
            error = refused(client, name, status,
                            [Input("image", "BYTES", [2], [good, bad], binary=binary)])
            assert error.error


def limits(client, name):
    refused(client, name, 413, [images(PICTURES[:1] * 5)])
    refused(client, name, 413, [Input("image", "BYTES", [10 ** 9], [b"x"])])
    tensor = Input("pixels", "FP32", [1, 3, 1, 1], [0.5] * 3)
    for side in (1 << 24, (1 << 24) + 1, 1 << 40):
        tensor.description["shape"] = [4, 3, side, side]
        refused(client, name, 400 if side == 1 << 24 else 413, [tensor])
    values = [0.0] * (3 * 300 * 300)
    refused(client, name, 413, [Input("pixels", "FP32", [1, 3, 300, 300], values, binary=True)])
    refused(client, name, 400, [Input("pixels", "FP32", [1, 3, 31, 90], [0.5] * 3 * 31 * 90)])
    refused(client, name, 413, [images(PICTURES[:4] + PICTURES[:1])], parameters={"scales": "200"})
    status, _, body = client.send("POST", f"/v2/models/{name}/infer", bytes(2 << 20))
    assert status == 413 and set(json.loads(body)) == {"error"}, body


def expensive(client, name):
    refused(client, name, 413, [images(PICTURES[:1])], parameters={"scales": "64,96,128,160"})
    assert client.infer(name, [images(PICTURES[:1])], parameters={"scales": "64", "flip": False})


def headers(client, name):
    tensor = images(PICTURES[:1], binary=True)
    text = json.dumps({"inputs": [tensor.description]}).encode()
    body = text + tensor.binary
    for length in (len(body) + 1, len(text) - 1, len(text) + 1, 10 ** 15, 10 ** 40, "x", "-1",
                   f" {len(text)}x", len(body), "0x10"):
        status, _, answer = client.send("POST", f"/v2/models/{name}/infer", body,
                                        {"Inference-Header-Content-Length": str(length)})
        assert status == 400 and set(json.loads(answer)) == {"error"}, (length, answer)
    status, _, answer = client.send("POST", f"/v2/models/{name}/infer", body)
    assert status == 400, answer
    for more, expected in (({"Content-Encoding": "gzip"}, 400), ({"Content-Encoding": "br"}, 415),
                           ({"Content-Type": "multipart/form-data; boundary=x"}, 400)):
        status, _, answer = client.send("POST", f"/v2/models/{name}/infer", text, more)
        assert status == expected and set(json.loads(answer)) == {"error"}, answer
    for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        status, _, answer = client.send("POST", f"/v2/models/{name}/infer", packed,
                                        {"Content-Encoding": coding,
                                         "Inference-Header-Content-Length": str(len(text))})
        assert status == 200 and json.loads(answer)["outputs"], answer
    status, _, answer = client.send("POST", f"/v2/models/{name}/infer")
    assert status == 400 and set(json.loads(answer)) == {"error"}, answer


def binary_sizes(client, name):
    for change in (-1, 1, 4, 1 << 40):
        for tensor in (images(PICTURES[:2], binary=True),
                       Input("pixels", "FP32", [1, 3, 40, 40], [0.5] * 4800, binary=True)):
            tensor.description["parameters"]["binary_data_size"] += change
            refused(client, name, 400, [tensor])
    for binary in (b"\xff\xff\xff\xff", b"\0\0\0", b"\x01\0\0\0", bytes(8)):
        tensor = images(PICTURES[:1], binary=True)
        tensor.binary = binary
        tensor.description["parameters"]["binary_data_size"] = len(binary)
        refused(client, name, 400, [tensor])
    both = images(PICTURES[:1], binary=True)
    both.description["data"] = ["QUJD"]
    refused(client, name, 400, [both])
    none = images(PICTURES[:1])
    del none.description["data"]
    refused(client, name, 400, [none])


def bad_json(client, name):
    good = json.dumps({"inputs": [images(PICTURES[:1]).description]})
    member = '"inputs":[]'
    for text in ("{", "[]", "5", '"x"', "null", "{}", good + "x", good[:-1], good[1:], "{'a':1}",
                 good.replace(":", " ", 1), "{" + member + "," + good[1:], '{"a":tru,' + good[1:],
                 '{"a":1 2,' + good[1:], '{"a":"\x01",' + good[1:], '{"a":"\\x",' + good[1:],
                 '{"a":"\\u12",' + good[1:], '{"a":[1,],' + good[1:], '{"a":{,},' + good[1:],
                 '{"a":' + "[" * 5000 + "]" * 5000 + "," + good[1:], '{"a":' * 5000, "[" * 100000,
                 '{"id":"\udcff",' + good[1:], good.replace('"name"', '"name":"image","name"'),
                 good.replace('"shape"', '"shape":[1],"sh\\u0061pe"'), "\ufeff" + good, "\0" + good,
                 good.replace('"datatype"', '"data":[],"datatype"')):
        status, _, body = client.send("POST", f"/v2/models/{name}/infer",
                                      text.encode("utf-8", "surrogateescape"))
        assert status == 400 and set(json.loads(body)) == {"error"}, (text[:60], body[:200])


def random_damage(client, name):
    """Any byte changed anywhere: an answer or an error, and the next request is served."""
    noise = random.Random(5)
    tensor = images(PICTURES[:2], binary=True)
    text = json.dumps({"inputs": [tensor.description], "id": "x",
                       "parameters": {"binary_data_output": True}}).encode()
    for _ in range(300):
        body = bytearray(text + tensor.binary[:200])
        for _ in range(noise.randrange(1, 4)):
            body[noise.randrange(len(text))] = noise.choice(b'{}[]",:0e-\\\xff\0')
        status, _, answer = client.send("POST", f"/v2/models/{name}/infer", bytes(body),
                                        {"Inference-Header-Content-Length": str(len(text))})
        assert status in (400, 404, 413, 415, 422), (status, answer[:200])
    assert client.ready()


def repository(server, name):
    status, _, body = server.admin.send("POST", "/v2/repository/index", b"")
    assert status == 200 and [(m["name"], m["version"], m["state"]) for m in json.loads(body)] == \
        [(name, "1", "READY")], body
    for body in (None, b"{}"):
        status, _, body = server.admin.send("POST", f"/v2/repository/models/{name}/load", body)
        assert status == 200 and json.loads(body)["name"] == name, body
    stats, = server.client.get("/v2/models/stats")["model_stats"]
    assert stats["inference_count"] == stats["last_inference"] == 0, "a model starts at 0"
    status, _, body = server.admin.send("POST", "/v2/repository/models/other/load", b"{}")
    assert status == 404 and set(json.loads(body)) == {"error"}, body
    status, _, body = server.admin.send("POST", f"/v2/repository/models/{name}/unload", b"{}")
    assert status == 400 and set(json.loads(body)) == {"error"}, body
    status, _, body = server.client.send("POST", "/v2/repository/index", b"")
    assert status == 404, body


def a_deadline(client, name):
    """Triton's timeout, in microseconds."""
    refused(client, name, 504, [images(PICTURES)], parameters={"timeout": 1})
    assert client.infer(name, [images(PICTURES)], parameters={"timeout": 100_000_000})


def a_crowd(client, name):
    """Requests on many connections at a time get the bytes that a lone one gets."""
    expected = posteriors(client.infer(name, [images(PICTURES)]), 3)
    text = json.dumps({"inputs": [images(PICTURES).description]}).encode()
    head = (f"POST /v2/models/{name}/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode()
    sockets = [socket.create_connection(("127.0.0.1", client.port), timeout=120) for _ in range(24)]
    for one in sockets:
        one.sendall(head + text)
    for one in sockets:
        with one, one.makefile("rb") as stream:
            answer = stream.read()
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:100]
        assert posteriors(read_answer({"Content-Type": "application/json"}, answer.split(b"\r\n\r\n", 1)[1]), 3) == expected


def tokens(client, name):
    assert client.live() and client.ready()
    for path in ("/v2", f"/v2/models/{name}", f"/v2/models/{name}/ready"):
        status, headers, body = client.send("GET", path)
        assert status == 401 and set(json.loads(body)) == {"error"}, body
        assert headers["WWW-Authenticate"].startswith("Bearer")
    refused(client, name, 401, [images(PICTURES[:1])])
    status, _, _ = client.send("GET", "/v2", headers={"Authorization": "Bearer secret"})
    assert status == 200


# ---------------------------------------------------------------- all


def run(vgg, directory):
    narrow, labelled = os.path.join(directory, "narrow"), os.path.join(directory, "labelled")
    for path, classes in ((narrow, CLASSES), (labelled, 1000)):
        subprocess.run([vgg, "init", "--arch", "A", "--width", "4", "--fc", "16", "--crop", "32",
                        "--classes", str(classes), "-o", path], check=True)
    token = os.path.join(directory, "token")
    with open(token, "w") as file:
        file.write("secret\n")
    os.chmod(token, 0o600)
    common = ("--scales", f"{SCALE},96", "--max-queue", "600s", "--deadline", "600s")
    server = Server(vgg, "--model", narrow, *common)
    with server as client:
        name = client.get("/model")["name"]
        for test in (health_and_metadata, same_as_classify, defaults_are_the_servers,
                     tensors_are_the_same_bits, a_batch_of_tensors, classification, features,
                     column_of_pictures, a_raw_picture, other_ways_to_write_it, base64_of_others,
                     parameters_of_others, configuration, statistics, names_and_versions,
                     bad_shapes, bad_datatypes, bad_values, bad_requests, an_empty_picture,
                     bad_pictures, headers,
                     binary_sizes, bad_json, random_damage, a_deadline, a_crowd):
            check(test.__name__, test, client, name)
        check("repository", repository, server, name)
    with Server(vgg, "--model", labelled, *common) as client:
        check("classification_has_labels", classification_has_labels, client,
              client.get("/model")["name"])
    with Server(vgg, "--model", narrow, *common, "--max-images", "4", "--max-body", "2000000",
                "--max-view-pixels", "40000") as client:
        check("limits", limits, client, name)
    with Server(vgg, "--model", narrow, *common, "--max-cost", "0.01") as client:
        check("expensive", expensive, client, name)
    with Server(vgg, "--model", narrow, *common, "--api-token-file", token) as client:
        check("tokens", tokens, client, name)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        run(sys.argv[1], directory)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
