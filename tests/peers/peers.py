#!/usr/bin/python3
"""Inference beside PyTorch and ONNX Runtime: peers.py VGG DIRECTORY (it has onnxruntime-node).

VGG-16 with the same seeded weights in F32, on as many threads as this process may use CPUs, in turn,
ROUNDS times; of each the least time of a pass counts. First all must agree about a picture. A peer
gets the form that suits it: a session or a frozen trace for each shape and, where there is one
position, matrix products for the FC layers.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from PIL import Image

CROP = 224
CONFIGURATION_D = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M",
                   512, 512, 512, "M"]
ROWS = [(224, 1), (224, 8), (384, 1), (512, 1)]  # side, views
ROUNDS, REPEATS = 3, 5
TOP_K = 100
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEVIATION_MAX = 1e-3  # relative, of a posterior


class Mean(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def read_weights(path):
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    data = numpy.memmap(path, numpy.uint8, "r", 8 + size)
    return {name: torch.from_numpy(numpy.array(
        data[slice(*entry["data_offsets"])]).view(numpy.float32).reshape(entry["shape"]))
        for name, entry in header.items() if name != "__metadata__"}


def make_network(weights, one_position):
    """torchvision's layers; for more than one position the FC layers are convolutions."""
    features, channels = [], 3
    for width in CONFIGURATION_D:
        if width == "M":
            features.append(torch.nn.MaxPool2d(2))
        else:
            features += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU(inplace=True)]
            channels = width
    classes = len(weights["classifier.6.bias"])
    sizes = [(channels, 4096, CROP // 32), (4096, 4096, 1), (4096, classes, 1)]
    full = [torch.nn.Linear(n * side * side, m) if one_position else torch.nn.Conv2d(n, m, side)
            for n, m, side in sizes]
    relu, dropout = torch.nn.ReLU(inplace=True), torch.nn.Dropout()
    network = torch.nn.Module()
    network.features = torch.nn.Sequential(*features)
    network.classifier = torch.nn.Sequential(full[0], relu, dropout, full[1], relu, dropout, full[2])
    network.load_state_dict({name: weights[name].reshape(like.shape)
                             for name, like in network.state_dict().items()})
    if one_position:
        stages = network.features, torch.nn.Flatten(), network.classifier
    else:
        stages = network.features, network.classifier, Mean()
    return torch.nn.Sequential(*stages).eval()


def export(network, one_position, path):
    side = CROP if one_position else CROP + 32
    torch.onnx.export(network, torch.zeros(1, 3, side, side), path, input_names=["x"],
                      output_names=["y"], dynamic_axes={"x": {0: "batch"} if one_position else
                                                        {0: "batch", 2: "height", 3: "width"}})


class PyTorch:
    name = "PyTorch"

    def __init__(self, networks):
        self.networks = networks
        self.version = torch.__version__

    def load(self, x):
        network = self.networks[x.shape[-1] == CROP]
        self.x = torch.from_numpy(x)
        self.trace = torch.jit.freeze(torch.jit.trace(network, self.x))
        self.run(2)

    def run(self, repeats):
        least = float("inf")
        for _ in range(repeats):
            start = time.perf_counter()
            y = self.trace(self.x)
            least = min(least, (time.perf_counter() - start) * 1e3)
        return least, y.numpy()


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, directory, files, input_file):
        self.files, self.input = files, input_file
        program = pathlib.Path(__file__).with_name("onnx.mjs")
        self.process = subprocess.Popen(["node", program, directory, str(torch.get_num_threads())],
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.ask(version=True)["version"]

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("peers: ONNX Runtime ended")
        return json.loads(answer)

    def load(self, x):
        x.tofile(self.input)
        self.ask(load=str(self.files[x.shape[-1] == CROP]), shape=x.shape, input=str(self.input))
        self.run(2)

    def run(self, repeats):
        answer = self.ask(repeats=repeats)
        return answer["ms"], numpy.array(answer["output"]).reshape(-1, answer["classes"])


def bench(vgg, model, side, batch):
    answer = json.loads(subprocess.run(
        [vgg, "bench", "--model", model, "--sizes", f"{side}x{side}", "--batch", str(batch),
         "--repeats", str(REPEATS), "--json"], check=True, stdout=subprocess.PIPE).stdout)
    return answer["runs"][0]["total_ms"], answer["machine"]


def make_picture(side):
    noise = numpy.random.default_rng(1).integers(0, 256, (side // 32, side // 32, 3), numpy.uint8)
    return Image.fromarray(noise).resize((side, side), Image.BICUBIC)


def input_of(picture, batch):
    x = (numpy.asarray(picture, numpy.float32) / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
    return numpy.ascontiguousarray(numpy.tile(x.transpose(2, 0, 1), (batch, 1, 1, 1)))


def posteriors_of(vgg, model, picture, side):
    """(index, posterior) of the best classes."""
    answer = json.loads(subprocess.run(
        [vgg, "classify", "--model", model, "--scales", str(side), "--flip", "off", "--top-k",
         str(TOP_K), "--json", picture], check=True, stdout=subprocess.PIPE).stdout)
    return [(entry["index"], entry["score"]) for entry in answer["top"]]


def deviation(expected, scores):
    posteriors = torch.softmax(torch.tensor(scores, dtype=torch.float64), 1).numpy()
    return max(abs(own[index] / score - 1) for own in posteriors for index, score in expected)


def main(vgg, directory):
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as work:
        where = pathlib.Path(work)
        model, picture_file = where / "D.safetensors", where / "picture.png"
        subprocess.run([vgg, "init", "--arch", "D", "-o", model], check=True)
        weights = read_weights(model)
        networks = [make_network(weights, one_position) for one_position in (False, True)]
        files = [where / "dense.onnx", where / "one.onnx"]
        for one_position, (network, file) in enumerate(zip(networks, files)):
            export(network, one_position, file)
        peers = [PyTorch(networks), OnnxRuntime(directory, files, where / "input.f32")]
        print(f"{torch.get_num_threads()} threads;", ", ".join(
            f"{peer.name} {peer.version}" for peer in peers))
        print("size    views        vgg" + "".join(f"{peer.name:>15} times" for peer in peers) +
              "   FMA peak")
        for side, batch in ROWS:
            picture = make_picture(side)
            picture.save(picture_file)
            expected = posteriors_of(vgg, model, picture_file, side)
            for peer in peers:
                peer.load(input_of(picture, batch))
                apart = deviation(expected, peer.run(1)[1])
                if apart > DEVIATION_MAX:
                    raise SystemExit(f"peers: {peer.name}'s posteriors differ by {apart:.1e}")
            ours, theirs, peak = [], [[] for _ in peers], 0
            for _ in range(ROUNDS):
                ms, machine = bench(vgg, model, side, batch)
                ours.append(ms)
                peak = max(peak, machine["fma_gflops"])
                for times, peer in zip(theirs, peers):
                    times.append(peer.run(REPEATS)[0])
            print(f"{side}x{side} {batch:5} {min(ours):7.1f} ms" + "".join(
                f"{min(times):12.1f} ms {min(times) / min(ours):5.2f}" for times in theirs) +
                f"   {peak:.0f} GFLOP/s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
