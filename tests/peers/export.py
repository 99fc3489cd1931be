"""VGG-16 in the peers' formats: export.py onnx|onnx8|ncnn MODEL.safetensors DIRECTORY

`one` is the network for views of 224x224, whose fully connected layers are matrix products; in `dense`,
for larger views, they are convolutions and the mean over positions follows. onnx8 makes 8 bits of what
onnx wrote, as ONNX Runtime's tools do it: QDQ, one scale for each channel of the weights, activations
calibrated on seeded pictures.
"""
import pathlib
import struct
import sys

import numpy

from vgg16 import CROP, kernel_side, layers, read_weights

PICTURES = 4  # to calibrate on
LAST = "classifier.6"


# ---------------------------------------------------------------- ONNX


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.output = [], [], "x"

    def add(self, operator, *constants, output=None, **attributes):
        """One node behind the last one."""
        import onnx
        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, [self.output, *constants], [output],
                                                **attributes))
        self.output = output

    def add_weighted(self, operator, name, weight, bias, **attributes):
        import onnx
        for suffix, value in ((".weight", weight), (".bias", bias)):
            self.constants.append(onnx.numpy_helper.from_array(value, name + suffix))
        self.add(operator, name + ".weight", name + ".bias", **attributes)

    def save(self, path, sides):
        import onnx
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes, "vgg16", [value("x", onnx.TensorProto.FLOAT, ["batch", 3, *sides])],
            [value("y", onnx.TensorProto.FLOAT, ["batch", "classes"])], self.constants)
        model = onnx.helper.make_model(graph, ir_version=10,
                                       opset_imports=[onnx.helper.make_opsetid("", 17)])
        onnx.save(model, path)


def add_full(graph, dense, name, weight, bias, channels):
    if dense:
        side = kernel_side(weight.shape[1], channels)
        graph.add_weighted("Conv", name, weight.reshape(len(weight), channels, side, side), bias)
        return
    if channels != weight.shape[1]:
        graph.add("Flatten")
    graph.add_weighted("Gemm", name, weight, bias, transB=1)


def export_onnx(weights, directory, dense):
    graph, channels = Graph(), 3
    for kind, *layer in layers(weights):
        if kind == "pool":
            graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
            continue
        if kind == "convolution":
            graph.add_weighted("Conv", *layer, pads=[1, 1, 1, 1])
        else:
            add_full(graph, dense, *layer, channels)
        channels = len(layer[2])
        if layer[0] != LAST:
            graph.add("Relu")
    if dense:
        graph.add("GlobalAveragePool")
        graph.add("Flatten")
    graph.add("Identity", output="y")
    graph.save(directory / ("dense.onnx" if dense else "one.onnx"),
               ["height", "width"] if dense else [CROP, CROP])


class Calibration:
    """Blurred noise, normalised as photographs are: the same for every run."""

    def __init__(self):
        numbers = numpy.random.default_rng(2)
        self.pictures = iter([numpy.kron(numbers.standard_normal((1, 3, 7, 7)), numpy.ones((32, 32)))
                              .astype(numpy.float32) for _ in range(PICTURES)])

    def get_next(self):
        picture = next(self.pictures, None)
        return None if picture is None else {"x": picture}


def quantise(path):
    from onnxruntime import quantization
    quantization.quantize_static(
        path, path.with_name(path.stem + "8.onnx"), Calibration(), per_channel=True,
        quant_format=quantization.QuantFormat.QDQ, activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8)


# ---------------------------------------------------------------- ncnn


class Ncnn:
    """The text of the layers and the bytes of their weights, as ncnn reads them."""

    def __init__(self):
        self.lines, self.bytes, self.output = ["Input x 0 1 x"], bytearray(), "x"

    def add(self, kind, output=None, **parameters):
        output = output or f"{kind}_{len(self.lines)}"
        settings = " ".join(f"{key[1:]}={value}" for key, value in parameters.items())
        self.lines.append(f"{kind} {output} 1 1 {self.output} {output} {settings}")
        self.output = output

    def add_weighted(self, kind, weight, bias, **parameters):
        self.bytes += struct.pack("<I", 0)  # what follows is F32
        self.bytes += weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes()
        self.add(kind, _0=len(weight), **parameters)

    def save(self, directory, name):
        text = f"7767517\n{len(self.lines)} {len(self.lines)}\n" + "\n".join(self.lines) + "\n"
        (directory / f"{name}.param").write_text(text)
        (directory / f"{name}.bin").write_bytes(self.bytes)


def export_ncnn(weights, directory, dense):
    network, channels = Ncnn(), 3
    for kind, *layer in layers(weights):
        if kind == "pool":
            network.add("Pooling", _0=0, _1=2, _2=2)  # the largest of 2x2, stride 2
            continue
        name, weight, bias = layer
        relu = int(name != LAST)
        if kind == "convolution":
            network.add_weighted("Convolution", weight, bias, _1=3, _4=1, _5=1, _6=weight.size, _9=relu)
        elif dense:
            side = kernel_side(weight.shape[1], channels)
            network.add_weighted("Convolution", weight, bias, _1=side, _5=1, _6=weight.size, _9=relu)
        else:
            network.add_weighted("InnerProduct", weight, bias, _1=1, _2=weight.size, _9=relu)
        channels = len(weight)
    if dense:
        network.add("Pooling", _0=1, _4=1)  # the mean over positions
    network.add("Noop", output="y")
    network.save(directory, "dense" if dense else "one")


def main(kind, model, directory):
    directory = pathlib.Path(directory)
    for dense in (False, True):
        if kind == "onnx8":
            quantise(directory / ("dense.onnx" if dense else "one.onnx"))
        else:
            (export_onnx if kind == "onnx" else export_ncnn)(read_weights(model), directory, dense)


if __name__ == "__main__":
    main(*sys.argv[1:])
