"""VGG-16 as every peer needs it: the layers, and the weights of a safetensors file."""
import json
import struct

import numpy

CROP = 224
STAGES = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool",
          512, 512, 512, "pool"]


def read_weights(path):
    """Of F32, each tensor in an array of its own."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {name: numpy.fromfile(path, "<f4", int(numpy.prod(entry["shape"])),
                                 offset=8 + size + entry["data_offsets"][0]).reshape(entry["shape"])
            for name, entry in header.items()}


def layers(weights):
    """("pool",) or (kind, name, weight, bias) in order; kind is "convolution" or "full"."""
    position = 0
    for width in STAGES:
        if width == "pool":
            yield ("pool",)
            position += 1
        else:
            name = f"features.{position}"
            yield "convolution", name, weights[name + ".weight"], weights[name + ".bias"]
            position += 2  # the ReLU has a number too
    for position in (0, 3, 6):
        name = f"classifier.{position}"
        yield "full", name, weights[name + ".weight"], weights[name + ".bias"]


def kernel_side(inputs, channels):
    """Of a fully connected layer as a convolution over maps of so many channels."""
    return round((inputs / channels) ** 0.5)
