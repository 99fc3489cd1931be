#!/usr/bin/python3
"""Compares the scores of `vgg classify` with those of the oracle.

    compare.py VGG ORACLE           networks of every configuration, a few hundred pictures
    compare.py --full VGG ORACLE    one full-size D network as well (minutes, 2 GB)
    compare.py --self-test ORACLE   the oracle itself against numpy

Pictures are decoded and rescaled with Pillow, so that the whole path is covered. The environment
is passed on to VGG, for choosing kernels, precision and threads. The oracle knows no 8 bits: what
they may change is more than they do change, and less than a mix-up of classes, views or positions.
Exit status 1 where anything differs.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import decimal
import functools
import json
import os
import re
import subprocess
import tempfile
import traceback

import numpy as np
from PIL import Image, ImageOps

import nets

# By the precision of an answer: of posteriors, of those of a full-size network and their logarithms;
# of maps and features, over their rms.
TOLERANCE, TOLERANCE_FULL = {"f32": 1e-5, "i8": 0.1}, {"f32": 1e-4, "i8": 0.05}
TOLERANCE_LOG, TOLERANCE_RMS = {"f32": 1e-3, "i8": 1}, {"f32": 1e-4, "i8": 0.5}
ARCHS = ["A", "A-LRN", "B", "C", "D", "E"]

passed, failed = 0, 0
largest = 0.0  # deviation from the oracle, over everything compared
digits = []  # significant digits of every score printed


def check(name, function, *arguments):
    """Run one check; an exception of any kind is its failure."""
    global passed, failed
    try:
        note = function(*arguments)
        passed += 1
        print(f"ok   {name}{'  ' + note if note else ''}", flush=True)
    except Exception as error:
        failed += 1
        text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
        print(f"FAIL {name}: {text.strip()}", flush=True)


def run(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1800)
    assert done.returncode == status, (
        f"{' '.join(command)}: status {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout.decode()


# ---------------------------------------------------------------- pictures

# name -> width, height, mode, options of Image.save
PICTURES = {
    "square": (128, 128, "RGB", {}),
    "odd": (97, 131, "RGB", {"quality": 90, "subsampling": 0}),
    "tall": (60, 300, "RGB", {"quality": 85}),
    "wide": (401, 75, "RGB", {"quality": 60, "subsampling": 1}),
    "grey": (150, 111, "L", {"quality": 80}),
    "tiny": (33, 29, "RGB", {"quality": 95}),
    "as-is": (64, 64, "RGB", {"quality": 95, "subsampling": 0}),
    "large": (641, 427, "RGB", {"quality": 75, "progressive": True}),
    "turned": (120, 91, "RGB", {"orientation": 6}),
    "mirrored": (83, 140, "RGB", {"orientation": 7}),
    "cmyk": (88, 71, "CMYK", {"quality": 90}),
}


def make_pictures(folder):
    rng = np.random.default_rng(1)
    paths = {}
    for name, (width, height, mode, options) in PICTURES.items():
        channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
        coarse = rng.uniform(0, 255, (height // 16 + 1, width // 16 + 1, channels))
        pixels = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
        pixels = pixels + np.linspace(-40, 40, width)[None, :, None]
        pixels = pixels + rng.normal(0, 15, (height, width, channels))
        pixels = pixels.clip(0, 255).astype(np.uint8)
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, mode)
        options = dict(options)
        if "orientation" in options:
            exif = Image.Exif()
            exif[0x0112] = options.pop("orientation")
            options["exif"] = exif
        paths[name] = os.path.join(folder, name + ".jpg")
        image.save(paths[name], "JPEG", **options)
    return paths


@functools.lru_cache(maxsize=None)
def upright(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


@functools.lru_cache(maxsize=None)
def rescaled(path, scale):
    """The picture with a shorter side of `scale`, and the oracle's argument for it."""
    image = upright(path)
    width, height = image.size
    size = (scale * width // min(image.size), scale * height // min(image.size))
    view = image.resize(size, Image.BILINEAR)
    raw = f"{path}.{scale}.rgb"
    with open(raw, "wb") as file:
        file.write(view.tobytes())
    return np.asarray(view), f"{size[0]}x{size[1]}:{raw}"


def run_oracle(oracle, model, path, scales, flip, *options):
    arguments = [rescaled(path, scale)[1] for scale in sorted(set(scales))]
    return json.loads(run(oracle, *options, model, flip, *arguments))


def ask_oracle(oracle, model, path, scales, flip):
    answer = run_oracle(oracle, model, path, scales, flip)
    return np.array(answer["posterior"]), np.array(answer["views"])


# ---------------------------------------------------------------- one answer


def ask_vgg(vgg, model, paths, scales, flip, *more):
    """path -> answer; numbers with a fraction come as Decimal, so that digits can be counted."""
    text = run(vgg, "classify", "--model", model, "--json", "--scales", ",".join(map(str, scales)),
               "--flip", flip, *(more or ["--top-k", "1000000"]), *paths)
    answers = [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()]
    assert [a["file"] for a in answers] == list(paths), "files are not answered in order"
    return dict(zip(paths, answers))


def of_precision(tolerances, answer):
    return tolerances[answer["model"]["precision"]]


def check_printed(score):
    """A score must name one float and no other."""
    exact = decimal.Decimal(score)
    value = np.float32(str(score))
    forms = ["%.9g" % value, "%.17g" % value, str(value), repr(float(value))]
    assert any(decimal.Decimal(form) == exact for form in forms), f"score {score} is not a float's"
    digits.append(len(re.sub(r"e.*", "", str(exact).lower()).replace(".", "").lstrip("-0")))


def check_answer(answer, path, net, scales, flip, expected, tolerances):
    """Everything in one answer to a request for all classes."""
    global largest
    tolerance = of_precision(tolerances, answer)
    width, height = upright(path).size
    assert answer["image"] == {"format": "jpeg", "width": width, "height": height}, answer["image"]
    assert answer["scales"] == sorted(set(scales)), answer["scales"]
    assert answer["flip"] is (flip == "on"), answer["flip"]
    assert answer["model"]["arch"] == net["arch"], answer["model"]
    top = answer["top"]
    indices = [entry["index"] for entry in top]
    assert [entry["rank"] for entry in top] == list(range(1, len(top) + 1)), "ranks"
    assert sorted(indices) == list(range(net["classes"])), "not every class once"
    for entry in top:
        check_printed(entry["score"])
    scores = np.array([np.float32(str(entry["score"])) for entry in top])
    for i in range(1, len(top)):
        assert scores[i - 1] >= scores[i], f"rank {i + 1} scores more than rank {i}"
        assert scores[i - 1] > scores[i] or indices[i - 1] < indices[i], f"tie at rank {i}"
        gap = expected[indices[i]] - expected[indices[i - 1]]
        assert gap < tolerance, f"ranks {i} and {i + 1} are the wrong way round by {gap:.3g}"
    deviation = np.abs(scores.astype(np.float64) - expected[indices])
    worst = int(deviation.argmax())
    assert deviation[worst] <= tolerance, (
        f"class {indices[worst]}: {scores[worst]:.9g}, the oracle {expected[indices[worst]]:.9g}, "
        f"{(deviation > tolerance).sum()} of {len(top)} classes differ")
    assert abs(float(scores.astype(np.float64).sum()) - 1) < 1e-5, "scores do not sum to 1"
    largest = max(largest, float(deviation[worst]))
    return f"{deviation[worst]:.1e}"


def check_region(region, path, scale, mirror, crop, rows, columns):
    """The windows of the positions: as large as the crop, 32 pixels apart, mirrored ones too."""
    size, view = upright(path).size, rescaled(path, scale)[0].shape[1::-1]
    starts = [32 * c for c in range(columns)]
    if mirror:  # the same columns seen from the other edge
        starts = sorted(view[0] - start - crop for start in starts)
    wanted = {"x": starts[0] * size[0] / view[0], "y": 0,
              "width": crop * size[0] / view[0], "height": crop * size[1] / view[1],
              "step_x": 32 * size[0] / view[0], "step_y": 32 * size[1] / view[1]}
    assert region.keys() == wanted.keys(), region
    for key, value in wanted.items():
        assert abs(float(region[key]) - value) < 1e-6 * max(size), f"{key} {region[key]}, {value}"
    assert float(region["x"]) + float(region["width"]) + 1e-6 + \
        float(region["step_x"]) * (columns - 1) <= size[0] + 1e-3, "a window beyond the picture"


def check_map(answer, path, net, scales, flip, expected):
    """The maps of an answer's classes against the oracle's, one after another."""
    views = [(scale, mirror) for scale in sorted(set(scales))
             for mirror in ([False, True] if flip == "on" else [False])]
    assert len(answer["map"]) == len(views) == len(expected), "number of maps"
    worst = 0.0
    for found, (scale, mirror), true in zip(answer["map"], views, expected):
        rows, columns = true["rows"], true["columns"]
        logits = np.array(true["logits"]).reshape(net["classes"], rows, columns)
        if mirror:
            logits = logits[:, :, ::-1]
        assert (found["scale"], found["flip"]) == (scale, mirror), "order of maps"
        assert (found["rows"], found["columns"]) == (rows, columns), "size of a map"
        check_region(found["region"], path, scale, mirror, net["crop"], rows, columns)
        rms = np.sqrt((logits ** 2).mean())
        gate = of_precision(TOLERANCE_RMS, answer) * rms
        sums = np.log(np.exp(logits - logits.max()).sum(0)) + logits.max()
        pairs = [(found["log_sums"], sums)]
        assert len(found["classes"]) == len(answer["top"]), "number of classes"
        for entry, top in zip(found["classes"], answer["top"]):
            assert (entry["rank"], entry["index"]) == (top["rank"], top["index"]), "classes"
            pairs.append((entry["values"], logits[top["index"]]))
        for values, wanted in pairs:
            for value in values:
                check_printed(value)
            gap = np.abs(np.array(values, float).reshape(rows, columns) - wanted).max()
            assert gap <= gate, f"scale {scale}, flip {mirror}: off by {gap:.2g}, gate {gate:.2g}"
            worst = max(worst, gap / rms)
    return f"{worst:.1e}"


def check_features(answer, expected):
    found, expected = answer["features"], np.array(expected)
    for value in found:
        check_printed(value)
    rms = np.sqrt((expected ** 2).mean())
    gate = of_precision(TOLERANCE_RMS, answer) * rms
    gap = np.abs(np.array(found, float) - expected).max()
    assert gap <= gate, f"off by {gap:.2g}, gate {gate:.2g}"
    return f"{gap / rms:.1e}"


def check_labels(answer, labels):
    for entry in answer["top"]:
        label = labels[entry["index"]] if labels else {}
        if isinstance(label, str):
            label = {"label": label}
        if isinstance(label, list):
            label = {"id": label[0], "label": label[1]}
        found = {key: entry[key] for key in ("id", "label") if key in entry}
        assert found == label, f"class {entry['index']}: {found}, not {label}"


def check_beginning(answer, short):
    short = dict(short, timing_ms=None, request_id=None)
    cut = dict(answer, timing_ms=None, request_id=None, top=answer["top"][: len(short["top"])])
    assert short == cut and 0 < len(short["top"]) < len(answer["top"]), "not the same beginning"


# ---------------------------------------------------------------- networks


def scale_lists(crop):
    """Two per crop: several scales with mirror images; one without, out of order and repeated."""
    return {32: ([32, 45, 64], [64, 33, 64]), 64: ([64, 81], [100, 64]),
            96: ([96, 131], [97])}[crop]


def written_nets(folder):
    """Yields (name, path, net, labels) of the files that this program writes itself."""
    plain = lambda n: [f"class {i}" for i in range(n)]
    pairs = lambda n: [[f"n{i:08}", f'Käse "{i}" \\ ☃'] for i in range(n)]
    text = lambda value: json.dumps(list(value))
    bgr = dict(channels="BGR", mean=(0.41, 0.45, 0.48), std=(0.3, 0.25, 0.2))
    caffe = dict(channels="BGR", mean=(0.4076, 0.4579, 0.4851), std=(0.25, 0.5, 1.0))
    table = [
        # arch, naming, options of nets.make, labels
        ("A", "tv", dict(width=5, classes=13, crop=64), None),
        ("A-LRN", "tv", dict(width=8, classes=20, crop=32), plain),
        ("A-LRN", "timm", dict(width=7, classes=31, crop=64, dtype="BF16"), None),
        ("B", "timm", dict(width=6, classes=40, crop=96), None),
        ("C", "tv", dict(width=7, classes=17, crop=64), pairs),
        ("D", "timm", dict(width=8, classes=29, crop=32), None),
        ("E", "tv", dict(width=4, classes=11, crop=96), None),
        ("A", "tv", dict(width=6, classes=19, crop=32, bn=True), pairs),
        ("A-LRN", "tv", dict(width=8, classes=12, crop=32, bn=True), None),
        ("B", "tv", dict(width=5, classes=21, crop=64, bn=True), None),
        ("C", "timm", dict(width=8, classes=14, crop=32, bn=True), None),
        ("D", "tv", dict(width=7, classes=10, crop=96, bn=True), plain),
        ("E", "timm", dict(width=6, classes=33, crop=64, bn=True), None),
        ("D", "tv", dict(width=8, classes=16, crop=64, dtype="F16"), None),
        ("B", "timm", dict(width=4, classes=25, crop=32, dtype="BF16"), None),
        ("D", "timm", dict(width=5, classes=18, crop=32, dtype="F16", bn=True), None),
        ("E", "tv", dict(width=8, classes=15, crop=32, dtype="BF16", bn=True), None),
        ("D", "tv", dict(width=6, classes=22, crop=64, **bgr), plain),
        ("A", "timm", dict(width=8, classes=30, crop=64, bn=True, **caffe), pairs),
        ("C", "tv", dict(width=8, classes=23, crop=96, dtype="BF16", **caffe), None),
        # Nothing in the shapes says that stages double, nor that the hidden FC layers are alike.
        ("B", "tv", dict(width=0, widths=[3, 5, 7, 6, 9, 11, 10, 13, 17, 12], classes=12, crop=64,
                         fc=(19, 26)), None),
    ]
    for seed, (arch, naming, options, labels) in enumerate(table):
        options = dict({"fc": 24}, **options)
        net = nets.make(arch, seed=seed, **options)
        dtype = options.get("dtype", "F32")
        metadata = {"vgg.arch": arch} if arch == "A-LRN" or seed % 2 else {}
        if labels:
            labels = labels(net["classes"])
            metadata["vgg.labels"] = json.dumps(labels)
        if net["channels"] == "BGR":
            metadata.update({"vgg.channels": "BGR", "vgg.mean": text(net["mean"]),
                             "vgg.std": text(net["std"])})
        name = f"{arch}{'_bn' if options.get('bn') else ''}-{naming}-{dtype}"
        name += f"-{net['channels']}-{'uneven' if 'widths' in options else net['crop']}"
        path = os.path.join(folder, name + ".safetensors")
        nets.write(path, net, naming, dtype, metadata)
        yield name, path, net, labels


def initialised_nets(vgg, folder):
    """Yields (name, path, net) of files from `vgg init`; net holds only what answers need."""
    for seed, arch in enumerate(ARCHS):
        width, classes, crop = 4 + seed % 5, 10 + 6 * seed, (32, 64, 96)[seed % 3]
        name = f"init-{arch}-{crop}"
        path = os.path.join(folder, name + ".safetensors")
        net = dict(arch=arch, classes=classes, crop=crop)
        command = [vgg, "init", "--arch", arch, "--width", str(width), "--fc", "24", "--classes",
                   str(classes), "--crop", str(crop), "--seed", str(seed), "-o", path]
        check(f"{name}: vgg init", lambda: run(*command) and None)
        yield name, path, net


def compare_net(vgg, oracle, name, path, net, labels, pictures, lively):
    """Both scale lists of one network over some pictures, named by their paths."""
    for scales, flip in zip(scale_lists(net["crop"]), ("on", "off")):
        answers = {}
        check(f"{name}: {','.join(map(str, scales))} flip {flip}",
              lambda: answers.update(ask_vgg(vgg, path, pictures, scales, flip)))
        for picture, answer in answers.items():
            def compare():
                expected = ask_oracle(oracle, path, picture, scales, flip)[0]
                if lively:
                    assert_lively(expected)
                check_labels(answer, labels)
                return check_answer(answer, picture, net, scales, flip, expected, TOLERANCE)
            stem = os.path.splitext(os.path.basename(picture))[0]
            check(f"{name}: {','.join(map(str, scales))} flip {flip}: {stem}", compare)
        if answers:
            def compare_alone():
                picture = pictures[-1]
                alone = ask_vgg(vgg, path, [picture], scales, flip, "--top-k", "3", "--map")
                expected = run_oracle(oracle, path, picture, scales, flip, "--maps")["maps"]
                note = check_map(alone[picture], picture, net, scales, flip, expected)
                del alone[picture]["map"]
                check_beginning(answers[picture], alone[picture])
                return note
            check(f"{name}: flip {flip}: alone, top 3 and their maps", compare_alone)

            def compare_features():
                picture = pictures[0]
                answer = ask_vgg(vgg, path, [picture], scales, flip, "--features")[picture]
                expected = run_oracle(oracle, path, picture, scales, flip, "--features")
                return check_features(answer, expected["features"])
            check(f"{name}: flip {flip}: features", compare_features)


def assert_lively(posterior):
    """Neither uniform nor saturated: else a comparison would say little."""
    assert posterior.max() < 0.97 and posterior.max() > 1.5 * posterior.min(), "dull posterior"


def check_digits():
    """Some floats need nine digits; if none was printed with nine, scores are cut short."""
    assert len(digits) > 100 and max(digits) >= 9, f"at most {max(digits, default=0)} digits"


def compare_all(vgg, oracle, folder):
    paths = list(make_pictures(folder).values())
    names = list(initialised_nets(vgg, folder))
    todo = [(name, path, net, None, False) for name, path, net in names if os.path.exists(path)]
    todo += [(*entry, True) for entry in written_nets(folder)]
    for i, (name, path, net, labels, lively) in enumerate(todo):
        # Four pictures each, all of them for D, so that every picture meets many networks.
        some = paths if net["arch"] == "D" else [paths[(4 * i + j) % len(paths)] for j in range(4)]
        compare_net(vgg, oracle, name, path, net, labels, some, lively)
    check("scores have enough digits", check_digits)


def check_logits(answer, expected):
    """With a thousand classes most scores lie below the tolerance; their logarithms do not."""
    for entry in answer["top"]:
        true = expected[entry["index"]]
        if true > 1e-30:
            gap = abs(np.log(float(entry["score"]) or 1e-300) - np.log(true))
            assert gap < of_precision(TOLERANCE_LOG, answer), \
                f"class {entry['index']}: log of the score is off by {gap:.1e}"


def compare_full(vgg, oracle, folder):
    path = os.path.join(folder, "full.safetensors")
    net = dict(arch="D", classes=1000, crop=224)
    check("full D: vgg init", lambda: run(vgg, "init", "--arch", "D", "-o", path) and None)
    for width, height in [(300, 300), (640, 448)]:
        picture = os.path.join(folder, f"full-{width}.jpg")
        pixels = np.random.default_rng(width).uniform(0, 255, (height // 8, width // 8, 3))
        image = Image.fromarray(pixels.astype(np.uint8)).resize((width, height), Image.BICUBIC)
        image.save(picture, quality=95)

        def compare():
            answer = ask_vgg(vgg, path, [picture], [224], "off")[picture]
            cat = next(entry for entry in answer["top"] if entry["index"] == 281)
            assert (cat["id"], cat["label"]) == ("n02123045", "tabby, tabby cat"), cat
            expected = ask_oracle(oracle, path, picture, [224], "off")[0]
            check_logits(answer, expected)
            return check_answer(answer, picture, net, [224], "off", expected, TOLERANCE_FULL)
        check(f"full D: {width}x{height} at 224", compare)


# ---------------------------------------------------------------- the oracle itself


def self_test(oracle, folder):
    """The oracle against numpy; and every known mistake must show well above the tolerance."""
    paths = list(make_pictures(folder).values())
    seen = {name: 0 for name in nets.MISTAKES}
    for i, (name, path, net, _) in enumerate(written_nets(folder)):
        shown = {wrong: 0.0 for wrong, applies in nets.MISTAKES.items() if applies(net)}
        for j in range(2):
            picture = paths[(2 * i + j) % len(paths)]
            for scales, flip in zip(scale_lists(net["crop"]), ("on", "off")):
                def compare():
                    posterior, views = ask_oracle(oracle, path, picture, scales, flip)
                    assert_lively(posterior)
                    arrays = [rescaled(picture, scale)[0] for scale in sorted(set(scales))]
                    features = run_oracle(oracle, path, picture, scales, flip, "--features")
                    wanted = nets.features(net, arrays, flip == "on")
                    gap = np.abs(np.array(features["features"]) - wanted).max() / wanted.max()
                    assert gap < 1e-10, f"features differ from numpy's by {gap:.3g}"
                    expected = nets.evaluate(net, arrays, flip == "on")
                    worst = max(np.abs(posterior - expected[0]).max(),
                                np.abs(views - expected[1]).max())
                    assert worst < 1e-10, f"differs from numpy by {worst:.3g}"
                    for wrong in shown if flip == "on" else []:
                        mistaken = nets.evaluate(net, arrays, True, wrong)[0]
                        shown[wrong] = max(shown[wrong], np.abs(mistaken - posterior).max())
                    return f"{worst:.1e}"
                stem = os.path.splitext(os.path.basename(picture))[0]
                check(f"{name}: {','.join(map(str, scales))} flip {flip}: {stem}", compare)

        def visible():
            for wrong, deviation in shown.items():
                seen[wrong] += 1
                assert deviation > 5 * TOLERANCE["f32"], f"{wrong}: shows by only {deviation:.1e}"
            return f"least {min(shown, key=shown.get)} {min(shown.values()):.1e}"
        check(f"{name}: mistakes show", visible)
    unseen = [name for name, count in seen.items() if count == 0]

    def all_tried():
        assert not unseen, f"never tried: {unseen}"
    check("every mistake was tried", all_tried)
    self_test_refusals(oracle, folder, paths[0])


def self_test_refusals(oracle, folder, picture):
    """What the oracle must not guess at."""
    net = nets.make("A", 4, 24, 10, 32, 0)
    good, bad = os.path.join(folder, "good"), os.path.join(folder, "bad")
    nets.write(good, net)
    view = rescaled(picture, 32)[1]
    with open(good, "rb") as file:
        whole = file.read()
    cases = {
        "truncated": whole[:-4],
        "short header": whole[:100],
        "empty": b"",
        "renamed tensor": whole.replace(b"features.3.weight", b"features.4.weight"),
        "missing bias": whole.replace(b"classifier.3.bias", b"classifier.9.bias"),
        "other dtype": whole.replace(b'"F32"', b'"F64"', 1),
    }
    check("the file unharmed", lambda: run(oracle, good, "on", view) and None)
    for name, content in cases.items():
        with open(bad, "wb") as file:
            file.write(content)
        check(f"refused: {name}", lambda: run(oracle, bad, "on", view, status=2) and None)
    small = rescaled(picture, 31)[1]
    check("refused: a side of 31", lambda: run(oracle, good, "on", small, status=2) and None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="+", metavar="VGG ORACLE")
    parser.add_argument("--full", action="store_true", help="a full-size network as well")
    parser.add_argument("--self-test", action="store_true", help="only the oracle, against numpy")
    options = parser.parse_args()
    if len(options.programs) != (1 if options.self_test else 2):
        parser.error("takes VGG and ORACLE, or --self-test and ORACLE")
    programs = [os.path.abspath(program) for program in options.programs]
    with tempfile.TemporaryDirectory(prefix="vgg-compare-") as folder:
        if options.self_test:
            self_test(*programs, folder)
        else:
            compare_all(*programs, folder)
            if options.full:
                compare_full(*programs, folder)
            print(f"largest deviation {largest:.1e}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
