#!/usr/bin/python3
"""A step of the FC layers beside PyTorch's: torch_heads.py VGG BASE DIR [BATCH] (needs python3-torch).

BASE is a VGG-16 of full size (vgg init -o BASE will do), whose convolutions stay as they are. Both
descend on maps of pool5 that are in memory, with as many threads; vgg train also draws them, and its
epochs include the validation. Of each, in turn, the best step of three rounds counts.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import torch

INPUTS, FC, ROUNDS, STEPS, EPOCHS = 512 * 7 * 7, 4096, 3, 3, 4


def torch_seconds(batch, classes):
    head = torch.nn.Sequential(
        torch.nn.Linear(INPUTS, FC), torch.nn.ReLU(), torch.nn.Dropout(0.5),
        torch.nn.Linear(FC, FC), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(FC, classes))
    descent = torch.optim.SGD(head.parameters(), lr=0.001, momentum=0.9, weight_decay=5e-4)
    maps, labels, best = torch.rand(batch, INPUTS), torch.arange(batch) % classes, float("inf")
    for _ in range(STEPS):
        start = time.perf_counter()
        descent.zero_grad()
        torch.nn.functional.cross_entropy(head(maps), labels).backward()
        descent.step()
        best = min(best, time.perf_counter() - start)
    return best


def vgg_seconds(vgg, base, directory, batch, work):
    """Of a step, and the MiB that the whole process took."""
    run = subprocess.run(
        ["/usr/bin/time", "-f", "%M", vgg, "train", directory, "--base", base, "--freeze", "convs", "--batch",
         str(batch), "--epochs", str(EPOCHS), "--json", "--features-cache", os.path.join(work, "cache"), "-o",
         os.path.join(work, f"{time.time_ns()}.safetensors")], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    steps = -(-lines[0]["plan"]["pictures"] // batch)
    best = min(line["seconds"] for line in lines if line.get("epoch"))
    return best / steps, int(run.stderr.splitlines()[-1]) // 1024


def main(vgg, base, directory, batch=128):
    batch, threads = int(batch), len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    classes = sum(entry.is_dir() for entry in os.scandir(directory))
    print(f"FC {INPUTS}-{FC}-{FC}-{classes}, batch {batch}, {threads} threads, ms a step; PyTorch {torch.__version__}")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as work:
        for _ in range(ROUNDS):
            theirs.append(torch_seconds(batch, classes))
            step, memory = vgg_seconds(vgg, base, directory, batch, work)
            ours.append(step)
            print(f"PyTorch {1000 * theirs[-1]:7.0f}   vgg train {1000 * step:7.0f}   {memory} MiB")
    print(f"best    {1000 * min(theirs):7.0f}             {1000 * min(ours):7.0f}   "
          f"PyTorch over vgg {min(theirs) / min(ours):.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
