#!/usr/bin/python3
"""Training speed beside PyTorch's: torch_speed.py VGG DIR [WIDTH CROP BATCH] (needs python3-torch).

The same network, batch and number of threads (those this process may use). PyTorch computes steps of
one batch that is already in memory; vgg train also reads, rescales and crops the photographs of DIR.
Both are measured in turn, three times; of each the best epoch or step counts.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import torch

CONFIGURATION_D = [1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M"]
FC, ROUNDS, STEPS, EPOCHS = 256, 3, 4, 2


def make_network(width, crop, classes):
    layers, channels = [], 3
    for entry in CONFIGURATION_D:
        if entry == "M":
            layers.append(torch.nn.MaxPool2d(2))
            continue
        layers += [torch.nn.Conv2d(channels, entry * width, 3, padding=1),
                   torch.nn.BatchNorm2d(entry * width), torch.nn.ReLU(inplace=True)]
        channels = entry * width
    layers.append(torch.nn.Flatten())
    inputs = channels * (crop // 32) ** 2
    for units in (FC, FC):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
        inputs = units
    return torch.nn.Sequential(*layers, torch.nn.Linear(inputs, classes))


def torch_images_per_second(width, crop, batch, classes):
    network = make_network(width, crop, classes)
    descent = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images, labels = torch.randn(batch, 3, crop, crop), torch.arange(batch) % classes
    best = 0
    for _ in range(STEPS):
        start = time.perf_counter()
        descent.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        descent.step()
        best = max(best, batch / (time.perf_counter() - start))
    return best


def vgg_images_per_second(vgg, directory, width, crop, batch):
    with tempfile.TemporaryDirectory() as work:
        listed = os.path.join(work, "validation.txt")
        lines = subprocess.run(
            [vgg, "train", directory, "-o", os.path.join(work, "model.safetensors"), "--json",
             "--validation-list", listed, "--epochs", str(EPOCHS), "--batch-norm",
             "--width", str(width), "--fc", str(FC), "--crop", str(crop), "--batch", str(batch),
             "--scale", f"{crop + 16}-{crop * 7 // 4}"],
            check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        with open(listed, encoding="utf-8") as paths:
            validation = sum(1 for _ in paths)
    images = sum(len(files) for _, _, files in os.walk(directory)) - validation
    return max(images // batch * batch / json.loads(line)["seconds"] for line in lines)


def main(vgg, directory, width=16, crop=128, batch=32):
    width, crop, batch = int(width), int(crop), int(batch)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    classes = sum(entry.is_dir() for entry in os.scandir(directory))
    print(f"D, width {width}, crop {crop}, batch {batch}, {threads} threads, images/s; PyTorch {torch.__version__}")
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(torch_images_per_second(width, crop, batch, classes))
        ours.append(vgg_images_per_second(vgg, directory, width, crop, batch))
        print(f"PyTorch {theirs[-1]:7.1f}   vgg train {ours[-1]:7.1f}")
    print(f"best    {max(theirs):7.1f}             {max(ours):7.1f}   vgg over PyTorch {max(ours) / max(theirs):.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
