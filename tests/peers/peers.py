#!/usr/bin/python3
"""VGG-16 in other libraries beside ours: peers.py VGG HOME [--rounds N] [--seconds S] [--json]

Home has what run.sh installed: a Python of its own with the packages of PyPI that could be had. All
compute on as many threads as this process may use CPUs, with the same seeded weights, in turn, N
rounds, but once S seconds have passed only one round for each size; of each peer the least time of a
pass counts. First the posteriors of all must agree, to a part in a thousand in F32; of 8 and 16 bits
the logits have to correlate with ours. A peer gets the form that suits it: a network for each shape
alone and, where there is one position, matrix products for the fully connected layers.

Where the CPU has AMX there is a second row of each peer with fewer bits, to which it is denied: what it
does by AVX512, as on the many CPUs that have no AMX. Ours uses none.

Memory is the peak of a process that loads the network and computes one view of 224x224. Installed bytes
are the libraries' without Python.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image

import amx

HERE = pathlib.Path(__file__).resolve().parent
ROWS = [(224, 1), (224, 8), (384, 1), (512, 1)]  # side, views
REPEATS = 5
TOP_K = 100
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEVIATION_MAX = 1e-3  # relative, of a posterior in F32
CORRELATION_MIN = 0.9  # of the logits of fewer bits with those of F32

# Name for people, what export.py has to write for it, and whether it computes in F32.
PEERS = {"pytorch": ("PyTorch", [], True), "onnxruntime": ("ONNX Runtime", ["onnx"], True),
         "openvino": ("OpenVINO", ["onnx"], True), "ncnn": ("ncnn", ["ncnn"], True),
         "openvino16": ("OpenVINO, BF16", ["onnx"], False),
         "ncnn16": ("ncnn, F16", ["ncnn"], False),
         "onnxruntime8": ("ONNX Runtime, 8 bits", ["onnx", "onnx8"], False),
         "openvino8": ("OpenVINO, 8 bits", ["onnx", "onnx8"], False)}


class Unavailable(Exception):
    pass


class Peer:
    def __init__(self, key, python, threads, work, limit):
        self.name, _, self.exact = PEERS[key]
        self.limited = limit != []
        if limit:
            self.name += ", without AMX"
        self.input, self.ms = work / "input.f32", {}
        self.process = subprocess.Popen([python, HERE / "peer.py", key, str(threads), work, *limit],
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise Unavailable(f"it ended with status {self.process.wait()}")
        return json.loads(answer)

    def load(self, x):
        x.tofile(self.input)
        self.ask(load=str(self.input), shape=x.shape)

    def run(self, row):
        self.ms[row] = min(self.ask(repeats=REPEATS)["ms"], self.ms.get(row, float("inf")))

    def end(self):
        self.process.kill()
        self.process.wait()


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- pictures and agreement


def make_picture(side):
    noise = numpy.random.default_rng(1).integers(0, 256, (side // 32, side // 32, 3), numpy.uint8)
    return Image.fromarray(noise).resize((side, side), Image.BICUBIC)


def input_of(picture, batch):
    x = (numpy.asarray(picture, numpy.float32) / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
    return numpy.ascontiguousarray(numpy.tile(x.transpose(2, 0, 1), (batch, 1, 1, 1)))


def posteriors_of(ours, picture, side, top_k=TOP_K):
    """(index, posterior) of the best classes."""
    answer = json.loads(subprocess.run(
        [ours.vgg, "classify", *ours.options, "--scales", str(side), "--flip", "off", "--top-k",
         str(top_k), "--json", picture], check=True, stdout=subprocess.PIPE).stdout)
    return [(entry["index"], entry["score"]) for entry in answer["top"]]


def check_correlation(name, logits, expected):
    index, scores = (numpy.array(column) for column in zip(*expected))
    correlation = min(numpy.corrcoef(row[index], numpy.log(scores))[0, 1] for row in logits)
    if not correlation >= CORRELATION_MIN:
        raise SystemExit(f"peers: {name}'s logits correlate with ours in F32 by {correlation:.2f}")


def check_agreement(peer, expected):
    """Against our posteriors, of which the logits are known up to a constant."""
    logits = numpy.array(peer.ask(repeats=1)["logits"])
    if peer.exact:
        index, scores = (numpy.array(column) for column in zip(*expected))
        powers = numpy.exp(logits - logits.max(1, keepdims=True))
        posteriors = powers / powers.sum(1, keepdims=True)
        apart = abs(posteriors[:, index] / scores - 1).max()
        if not apart <= DEVIATION_MAX:
            raise SystemExit(f"peers: {peer.name}'s posteriors differ by {apart:.1e}")
    else:
        check_correlation(peer.name, logits, expected)


# ---------------------------------------------------------------- ours


def peak_memory(command):
    """Bytes, of a process of its own, whose parent is small."""
    small = ("import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:], stdout=-3); "
             "_, status, usage = os.wait4(process.pid, 0); print(usage.ru_maxrss); sys.exit(status != 0)")
    return 1024 * int(subprocess.run([sys.executable, "-S", "-c", small, *command], check=True,
                                     stdout=subprocess.PIPE).stdout)


class Ours:
    def __init__(self, name, vgg, model, precision):
        self.name, self.vgg = name, vgg
        self.options = ["--model", model, "--precision", precision]
        self.ms, self.machine = {}, {}

    def run(self, row):
        side, batch = row
        answer = json.loads(subprocess.run(
            [self.vgg, "bench", *self.options, "--sizes", f"{side}x{side}", "--batch", str(batch),
             "--repeats", str(REPEATS), "--json"], check=True, stdout=subprocess.PIPE).stdout)
        for key, value in answer["machine"].items():
            self.machine[key] = max(value, self.machine.get(key, value))
        self.ms[row] = min(answer["runs"][0]["total_ms"], self.ms.get(row, float("inf")))

    def look(self, picture):
        version = subprocess.run([self.vgg, "--version"], check=True, text=True, stdout=subprocess.PIPE)
        self.facts = {"version": version.stdout.split()[-1], "memory_bytes": peak_memory(
            [self.vgg, "classify", *self.options, "--scales", str(ROWS[0][0]), "--flip", "off",
             picture])}

    def check_agreement(self, picture, side, expected):
        index, scores = zip(*sorted(posteriors_of(self, picture, side, top_k=10 ** 6)))
        assert index == tuple(range(len(index)))
        check_correlation(self.name, numpy.log([scores]), expected)


# ---------------------------------------------------------------- all together


def export(python, model, work):
    """What could be written."""
    written = set()
    for kind in ("onnx", "onnx8", "ncnn"):
        result = subprocess.run([python, HERE / "export.py", kind, model, work],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode == 0:
            written.add(kind)
        else:
            say(f"no network for {kind}: {(result.stdout.strip().splitlines() or ['?'])[-1]}")
    return written


def start_peer(key, python, threads, work, limit):
    peer = Peer(key, python, threads, work, limit)
    try:  # its memory and its first row
        peer.load(input_of(make_picture(ROWS[0][0]), ROWS[0][1]))
        peer.facts = peer.ask()
    except Unavailable as reason:
        say(f"SKIPPED {peer.name}: {reason}")
        return []
    if limit and peer.facts["amx"]:
        raise SystemExit(f"peers: {peer.name} has got AMX all the same")
    return [peer]


def start_peers(home, model, threads, work):
    python = home / "python/bin/python"
    written = export(python, model, work)
    peers = []
    for key, (name, needs, exact) in PEERS.items():
        if not written.issuperset(needs):
            say(f"SKIPPED {name}: its network could not be written")
            continue
        own_python = sys.executable if key == "pytorch" else python
        started = start_peer(key, own_python, threads, work, [])
        if not exact and started and started[0].facts["amx"]:
            started += start_peer(key, own_python, threads, work, ["without-amx"])
        peers += started
    limited = [peer.name for peer in peers if peer.limited]
    if limited:
        say(f"this CPU has AMX, which was denied to: {'; '.join(limited)}")
    return peers


def start_ours(vgg, model, work):
    picture = work / "picture.png"
    make_picture(ROWS[0][0]).save(picture)
    for name, precision in (("vgg", "f32"), ("vgg, 8 bits", "i8")):
        ours = Ours(name, vgg, model, precision)
        try:
            ours.look(picture)
        except subprocess.CalledProcessError:
            say(f"SKIPPED {name}: this CPU has no instructions for it")
            continue
        yield ours


def measure(vgg, home, rounds, seconds, work):
    end = time.monotonic() + seconds
    model, picture_file = work / "model.safetensors", work / "picture.png"
    subprocess.run([vgg, "init", "--arch", "D", "-o", model], check=True)
    threads = len(os.sched_getaffinity(0))
    ours = list(start_ours(vgg, model, work))
    peers = start_peers(home, model, threads, work)
    for row in ROWS:
        side, batch = row
        picture = make_picture(side)
        picture.save(picture_file)
        expected = posteriors_of(ours[0], picture_file, side)
        for each in ours[1:]:
            each.check_agreement(picture_file, side, expected)
        for peer in peers:
            peer.load(input_of(picture, batch))
            check_agreement(peer, expected)
        for number in range(rounds):
            if number == 0 or time.monotonic() < end:
                for each in (*ours, *peers):
                    each.run(row)
        say(f"{side}x{side}, {batch}: " + ", ".join(
            f"{each.name} {each.ms[row]:.1f} ms" for each in (*ours, *peers)))
    for peer in peers:
        peer.end()
    return {"machine": ours[0].machine, "rows": ROWS, "passes": rounds * REPEATS, "peers": [
        {"name": each.name, **each.facts, "ms": [each.ms[row] for row in ROWS]}
        for each in (*ours, *peers)]}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("vgg")
    parser.add_argument("home", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.home) as work:
        result = measure(arguments.vgg, arguments.home.resolve(), arguments.rounds,
                         arguments.seconds, pathlib.Path(work))
    if arguments.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
