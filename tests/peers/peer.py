"""One peer, which peers.py asks: peer.py NAME THREADS DIRECTORY [without-amx] (the directory has what
export.py wrote).

A JSON object a line in, one a line out: {"load": FILE of floats, "shape": [N, 3, H, W]} for a network of
that shape alone, answered once two passes have run; {"repeats": N} for the least milliseconds of a pass
and the logits of the last; {} for the version, the peak memory of this process so far, the bytes that are
installed and whether it may use AMX.
"""
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys
import time

import numpy

import amx
from vgg16 import CROP, kernel_side, layers, read_weights


def peak_memory_bytes():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1)) * 1024


def installed_bytes(*packages):
    """Of packages of PyPI."""
    files = [file.locate() for name in packages for file in importlib.metadata.files(name)]
    return sum(path.stat().st_size for path in map(pathlib.Path, files) if path.exists())


class PyTorch:
    def __init__(self, threads, directory):
        import torch
        self.torch, self.directory, self.version = torch, directory, torch.__version__
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def network(self, dense):
        nn, stages, channels = self.torch.nn, [], 3
        for kind, *layer in layers(read_weights(self.directory / "model.safetensors")):
            if kind == "pool":
                stages.append(nn.MaxPool2d(2))
                continue
            name, weight, bias = layer
            side = 3 if kind == "convolution" else kernel_side(weight.shape[1], channels)
            if kind == "full" and not dense:
                stages += [] if channels == weight.shape[1] else [nn.Flatten()]
                stages.append(nn.Linear(weight.shape[1], len(weight)))
            else:
                stages.append(nn.Conv2d(channels, len(weight), side, padding=int(kind != "full")))
            for own, value in ((stages[-1].weight, weight), (stages[-1].bias, bias)):
                own.data = self.torch.from_numpy(value).reshape(own.shape)
            channels = len(weight)
            if name != "classifier.6":
                stages.append(nn.ReLU(inplace=True))
        return nn.Sequential(*stages).eval()

    def load(self, x):
        self.x = self.torch.from_numpy(x)
        self.trace = self.torch.jit.freeze(
            self.torch.jit.trace(self.network(x.shape[-1] != CROP), self.x))

    def run(self):
        y = self.trace(self.x)
        return y if y.ndim == 2 else y.mean((2, 3))

    @staticmethod
    def installed_bytes():
        text = subprocess.run(["dpkg-query", "-W", "-f", "${Installed-Size}\n", "python3-torch",
                               "libtorch1.*"], stdout=subprocess.PIPE, text=True, check=False).stdout
        return sum(map(int, text.split())) * 1024


class OnnxRuntime:
    suffix = ""

    def __init__(self, threads, directory):
        import onnxruntime
        self.runtime, self.version = onnxruntime, onnxruntime.__version__
        self.threads, self.directory = threads, directory

    def load(self, x):
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        for name, size in zip(("batch", "height", "width"), (len(x), *x.shape[2:])):
            options.add_free_dimension_override_by_name(name, size)
        file = f"{'one' if x.shape[-1] == CROP else 'dense'}{self.suffix}.onnx"
        self.session = self.runtime.InferenceSession(
            self.directory / file, options, providers=["CPUExecutionProvider"])
        self.feed = {"x": x}

    def run(self):
        return self.session.run(["y"], self.feed)[0]

    @staticmethod
    def installed_bytes():
        return installed_bytes("onnxruntime", "numpy")


class OnnxRuntime8(OnnxRuntime):
    suffix = "8"


class OpenVino:
    suffix, precision = "", "f32"

    def __init__(self, threads, directory):
        import openvino
        self.core, self.version = openvino.Core(), openvino.__version__.split("-")[0]
        self.directory = directory
        self.config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if self.precision:
            self.config["INFERENCE_PRECISION_HINT"] = self.precision

    def load(self, x):
        file = f"{'one' if x.shape[-1] == CROP else 'dense'}{self.suffix}.onnx"
        model = self.core.read_model(self.directory / file)
        model.reshape(x.shape)
        self.request = self.core.compile_model(model, "CPU", self.config).create_infer_request()
        self.x = x

    def run(self):
        return self.request.infer([self.x])["y"]

    @staticmethod
    def installed_bytes():
        return installed_bytes("openvino", "numpy")


class OpenVino16(OpenVino):
    precision = "bf16"


class OpenVino8(OpenVino):
    suffix, precision = "8", None


class Ncnn:
    half = False

    def __init__(self, threads, directory):
        import ncnn
        self.ncnn, self.version = ncnn, ncnn.__version__
        self.threads, self.directory = threads, directory

    def load(self, x):
        name = self.directory / ("one" if x.shape[-1] == CROP else "dense")
        self.network = self.ncnn.Net()
        self.network.opt.num_threads = self.threads
        for what in ("packed", "storage", "arithmetic"):
            setattr(self.network.opt, f"use_fp16_{what}", self.half)
        self.network.load_param(f"{name}.param")
        self.network.load_model(f"{name}.bin")
        self.inputs = [self.ncnn.Mat(view).clone() for view in x]

    def run(self):  # ncnn takes one picture at a time
        rows = []
        for view in self.inputs:
            extractor = self.network.create_extractor()
            extractor.input("x", view)
            rows.append(numpy.array(extractor.extract("y")[1]))
        return numpy.stack(rows)

    @staticmethod
    def installed_bytes():
        return installed_bytes("ncnn", "numpy")


class Ncnn16(Ncnn):  # as it comes
    half = True


PEERS = {"pytorch": PyTorch, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn,
         "openvino16": OpenVino16, "ncnn16": Ncnn16, "onnxruntime8": OnnxRuntime8,
         "openvino8": OpenVino8}


def run(peer, repeats):
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        y = peer.run()
        least = min(least, (time.perf_counter() - start) * 1e3)
    return {"ms": least, "logits": numpy.asarray(y, float).tolist()}


def answer(peer, request):
    if "load" in request:
        peer.load(numpy.fromfile(request["load"], numpy.float32).reshape(request["shape"]))
        run(peer, 2)
        return {}
    if "repeats" in request:
        return run(peer, request["repeats"])
    return {"version": peer.version, "memory_bytes": peak_memory_bytes(),
            "installed_bytes": peer.installed_bytes(), "amx": amx.granted()}


def main(name, threads, directory, limit=""):
    if limit == "without-amx":
        amx.withhold()
    peer = PEERS[name](int(threads), pathlib.Path(directory))
    for line in sys.stdin:
        print(json.dumps(answer(peer, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
