"""Small test networks: how they are made, written as safetensors, and evaluated with numpy.

A network is a dict: arch, layers, mean, std, channels, crop, classes. A layer is a dict: weight
[out][in][k][k], bias, bn (gamma, beta, mean, var; or None), pad, lrn, relu, pool.
"""

import json
import struct

import numpy as np

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Kernel sides of each stage of the paper's table 1; a pool ends each stage.
STAGES = {
    "A": [[3], [3], [3, 3], [3, 3], [3, 3]],
    "A-LRN": [[3], [3], [3, 3], [3, 3], [3, 3]],
    "B": [[3, 3], [3, 3], [3, 3], [3, 3], [3, 3]],
    "C": [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]],
    "D": [[3, 3], [3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
    "E": [[3, 3], [3, 3], [3, 3, 3, 3], [3, 3, 3, 3], [3, 3, 3, 3]],
}


# ---------------------------------------------------------------- evaluation with numpy


def conv(x, weight, bias, pad):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))
    return np.tensordot(weight, windows, axes=([1, 2, 3], [0, 3, 4])) + bias[:, None, None]


def lrn(x, alpha=1e-4):
    squares = np.pad(x * x, ((2, 2), (0, 0), (0, 0)))
    total = sum(squares[i : i + len(x)] for i in range(5))
    return x / (2 + alpha * total) ** 0.75


def maxpool(x, ceil=False):
    c, h, w = x.shape
    if ceil:
        x = np.pad(x, ((0, 0), (0, h % 2), (0, w % 2)), constant_values=-np.inf)
        c, h, w = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2).max((2, 4))


def softmax(x):
    e = np.exp(x - x.max(0))
    return e / e.sum(0)


def run_layer(layer, x, wrong=None):
    """One layer; `wrong` names a mistake to make on purpose (see MISTAKES)."""
    weight = layer["weight"]
    if wrong == "kernel transposed":
        weight = weight.transpose(0, 1, 3, 2)
    if wrong == "flattened as HWC" and layer["pad"] == 0 and weight.shape[2] > 1:
        o, c, k, _ = weight.shape
        weight = weight.reshape(o, k, k, c).transpose(0, 3, 1, 2)
    x = conv(x, weight, layer["bias"], layer["pad"])
    if layer["bn"]:
        gamma, beta, mean, var = (v[:, None, None] for v in layer["bn"])
        eps = {"batch-norm eps 1e-3": 1e-3, "batch-norm eps 0": 0}.get(wrong, 1e-5)
        x = gamma * (x - mean) / np.sqrt(var + eps) + beta
    if layer["lrn"] and wrong == "LRN before ReLU":
        x = lrn(x)
    if layer["relu"]:
        x = np.maximum(x, 0)
    if layer["lrn"] and wrong not in ("LRN before ReLU", "no LRN"):
        x = lrn(x, 1e-4 / 5 if wrong == "LRN alpha divided by n" else 1e-4)
    if layer["pool"]:
        x = maxpool(x, ceil=wrong == "pool rounds up")
    return x


def run_layers(net, layers, pictures, flip, wrong=None):
    """The map after `layers` of each view of rescaled pictures [h][w][3] uint8."""
    maps = []
    for picture in pictures:
        for mirrored in [False, True] if flip else [False]:
            x = picture.astype(np.float64).transpose(2, 0, 1) / 255
            x = x[:, :, ::-1] if mirrored and wrong != "no mirror image" else x
            mean, std = np.array(net["mean"]), np.array(net["std"])
            if (net["channels"] == "BGR") != (wrong == "channels swapped"):
                x = x[::-1]
            if wrong == "mean and std in RGB order":
                mean, std = mean[::-1], std[::-1]
            x = (x - mean[:, None, None]) / std[:, None, None]
            for layer in layers:
                x = run_layer(layer, x, wrong)
            maps.append(x)
    return maps


def evaluate(net, pictures, flip, wrong=None):
    """(posterior, views) of rescaled pictures, as the protocol has them."""
    scores = run_layers(net, net["layers"], pictures, flip, wrong)
    if wrong == "soft-max before the spatial mean":
        views = [softmax(x).mean((1, 2)) for x in scores]
    else:
        views = [softmax(x.mean((1, 2))) for x in scores]
    if wrong == "logits averaged over views":
        return softmax(sum(x.mean((1, 2)) for x in scores) / len(scores)), views
    return sum(views) / len(views), views


def features(net, pictures, flip):
    """The image features: the last hidden layer, averaged over positions, then over views."""
    views = [x.mean((1, 2)) for x in run_layers(net, net["layers"][:-1], pictures, flip)]
    return sum(views) / len(views)


# Mistakes that the comparison must be able to see, and what a network needs for it.
MISTAKES = {
    "kernel transposed": lambda net: True,
    "flattened as HWC": lambda net: net["crop"] > 32,
    "pool rounds up": lambda net: True,
    "no mirror image": lambda net: True,
    "channels swapped": lambda net: True,
    "soft-max before the spatial mean": lambda net: True,
    "logits averaged over views": lambda net: True,
    "mean and std in RGB order": lambda net: net["channels"] == "BGR",
    "batch-norm eps 1e-3": lambda net: net["layers"][0]["bn"],
    "batch-norm eps 0": lambda net: net["layers"][0]["bn"],
    "no LRN": lambda net: net["arch"] == "A-LRN",
    "LRN alpha divided by n": lambda net: net["arch"] == "A-LRN",
    "LRN before ReLU": lambda net: net["arch"] == "A-LRN",
}


# ---------------------------------------------------------------- making networks


def rounded(array, dtype):
    """The nearest values that dtype can hold, in double precision."""
    array = np.asarray(array, np.float32)
    if dtype == "F16":
        array = array.astype(np.float16)
    if dtype == "BF16":
        bits = array.view(np.uint32)
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
        array = bits.view(np.float32)
    return array.astype(np.float64)


def make_layer(rng, x, out, kernel, pad, spread, bn, dtype):
    """A He-normal convolution, rescaled so that on the sample x its output spreads by `spread`.

    Biases and running means stay well below the mean of the output: centred on it, a deep random
    network would magnify its own rounding errors until they hide those looked for.
    """
    fan_in = x.shape[0] * kernel * kernel
    weight = rng.normal(0, np.sqrt(2 / fan_in), (out, x.shape[0], kernel, kernel))
    # A range of variances under batch-norm, small ones too, so that its eps matters.
    target = 10 ** rng.uniform(-2.2, 0.3, (out, 1, 1, 1)) if bn else spread
    zero = np.zeros(out)
    weight = rounded(weight * target / conv(x, weight, zero, pad).std(), dtype)
    y = conv(x, weight, zero, pad)
    noise = y.std((1, 2)) * rng.normal(0, 0.3, out)
    stats = None
    bias = rounded(noise, dtype)
    if bn:
        stats = (
            rng.uniform(0.6, 1.4, out) * rng.choice([1, -1], out, p=[0.8, 0.2]) * spread,
            rng.normal(0, 0.3, out) * spread,
            bias + y.std((1, 2)) * rng.normal(0, 0.3, out),
            y.var((1, 2)) * np.exp(rng.normal(0, 0.3, out)),
        )
        stats = tuple(rounded(v, dtype) for v in stats)
    return dict(weight=weight, bias=bias, bn=stats, pad=pad, lrn=False, relu=True, pool=False)


def make(arch, width, fc, classes, crop, seed, bn=False, dtype="F32", mean=MEAN, std=STD,
         channels="RGB", widths=None):
    """A random network. width: of the first convolution; or widths: of each convolution."""
    rng = np.random.default_rng(seed)
    # Two by three positions of smooth noise, as large as images are after normalisation.
    x = rng.normal(0, 1, (3, 2 + crop // 8, 2 + crop // 8)).repeat(16, 1).repeat(16, 2)
    x = x[:, : crop + 32, : crop + 64] + rng.normal(0, 0.5, (3, crop + 32, crop + 64))
    layers = []
    multiples = [1, 2, 4, 8, 8]
    for stage, kernels in enumerate(STAGES[arch]):
        for kernel in kernels:
            out = widths[len(layers)] if widths else width * multiples[stage]
            # LRN only matters where activations are large.
            spread = 150 if arch == "A-LRN" and not layers else 1
            layers.append(make_layer(rng, x, out, kernel, kernel // 2, spread, bn, dtype))
            layers[-1]["lrn"] = arch == "A-LRN" and len(layers) == 1
            layers[-1]["pool"] = len(layers) == sum(
                map(len, STAGES[arch][: stage + 1]))
            x = run_layer(layers[-1], x)
    fcs = fc if isinstance(fc, tuple) else (fc, fc)
    for out, kernel, spread in [(fcs[0], crop // 32, 1), (fcs[1], 1, 1), (classes, 1, 1.5)]:
        layers.append(make_layer(rng, x, out, kernel, 0, spread, False, dtype))
        layers[-1]["relu"] = len(layers) < sum(map(len, STAGES[arch])) + 3
        x = run_layer(layers[-1], x)
    return dict(arch=arch, layers=layers, mean=mean, std=std, channels=channels, crop=crop,
                classes=classes)


# ---------------------------------------------------------------- writing files


def tensors(net, naming):
    """name -> values, with torchvision's ("tv") or timm's names; F32 unless an integer."""
    named, index = {}, 0
    convs, fcs = net["layers"][:-3], net["layers"][-3:]
    for layer in convs:
        named[f"features.{index}.weight"] = layer["weight"]
        named[f"features.{index}.bias"] = layer["bias"]
        if layer["bn"]:
            index += 1
            for suffix, values in zip(["weight", "bias", "running_mean", "running_var"],
                                      layer["bn"]):
                named[f"features.{index}.{suffix}"] = values
            named[f"features.{index}.num_batches_tracked"] = np.array(1234, np.int64)
        index += 3 if layer["pool"] else 2
    stems = {"tv": ["classifier.0", "classifier.3", "classifier.6"],
             "timm": ["pre_logits.fc1", "pre_logits.fc2", "head.fc"]}[naming]
    for stem, layer in zip(stems, fcs):
        flat = naming == "tv" or stem == "head.fc"
        weight = layer["weight"]
        named[stem + ".weight"] = weight.reshape(len(weight), -1) if flat else weight
        named[stem + ".bias"] = layer["bias"]
    return named


def encode(values, dtype):
    if values.dtype == np.int64:
        return "I64", values.tobytes()
    if dtype == "BF16":
        return dtype, (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return dtype, values.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def write(path, net, naming="tv", dtype="F32", metadata=None):
    """Write a safetensors file, tensors in the order of their names."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, values in sorted(tensors(net, naming).items()):
        kind, encoded = encode(np.asarray(values), dtype)
        header[name] = {"dtype": kind, "shape": list(np.shape(values)),
                        "data_offsets": [len(data), len(data) + len(encoded)]}
        data += encoded
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
