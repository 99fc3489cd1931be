#!/usr/bin/env python3
"""The whole program on 64-bit ARM, emulated: its answers beside this machine's.

    check.py VGG ARM_VGG    both built from the same sources
"""

import json
import os
import subprocess
import sys
import tempfile

from PIL import Image

# Kernels there, beside which ones here, and by how much scores may differ. Those of 8 bits: a last bit
# of the floats before them decides how a number is rounded; the model in C does without FMA.
CASES = (("neon", "portable", 1e-4), ("portable", "portable", 1e-4), ("neon-dotprod", "portable-i8", 0.03),
         ("portable-i8", "portable-i8", 0))
SCALES = "64,96"


def classify(command, model, photograph, kernels):
    result = subprocess.run(
        command + ["classify", "--model", model, "--precision", "auto", "--scales", SCALES, "--json",
                   photograph],
        env=dict(os.environ, VGG_KERNELS=kernels), capture_output=True, text=True, check=True)
    answer = json.loads(result.stdout)
    assert answer["model"]["kernel"] == kernels, answer["model"]
    return {entry["index"]: entry["score"] for entry in answer["top"]}


def main():
    vgg, arm = sys.argv[1:3]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        photograph = os.path.join(folder, "gradient.jpg")
        Image.linear_gradient("L").resize((160, 120)).convert("RGB").save(photograph)
        for arch in "A-LRN", "C", "D":
            model = os.path.join(folder, arch + ".safetensors")
            subprocess.run([vgg, "init", "--arch", arch, "--width", "8", "--fc", "64", "--classes",
                            "5", "--crop", "64", "--seed", "3", "-o", model], check=True)
            for kernels, here, tolerance in CASES:
                expected = classify([vgg], model, photograph, here)
                got = classify(["qemu-aarch64", arm], model, photograph, kernels)
                worst = max(abs(got[i] - expected[i]) for i in expected)
                good = worst <= tolerance
                passed += good
                failed += not good
                print(f"{'ok  ' if good else 'FAIL'} {arch} by {kernels}: largest difference {worst:.1e}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
