#!/usr/bin/python3
"""Predicted seconds beside measured ones: prediction.py VGG [MODEL]. ROUNDS (default 12) says how many.

Admission goes by the work ahead, in seconds (`vgg_queue_cost_seconds`). Each round asks for a mix of
pictures and scales at once, reads the prediction when all were admitted, and takes the time until
the queue is empty. All must be answered, and the prediction must come back to zero. Reported: the
prediction over the time, at the median and at the extremes.
"""
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from PIL import Image

from serving import Checks, Server

ROUNDS = int(os.environ.get("ROUNDS", "12"))
REQUESTS = 12
SIZES = ((96, 96), (320, 240), (512, 384), (640, 640), (1200, 400), (1200, 1600))
QUERIES = ("", "?scales=64", "?scales=96,128&flip=off", "?flip=off")
COST = "vgg_queue_cost_seconds"


def round_of(server, pictures, numbers):
    """Prediction and time in seconds, the statuses."""
    statuses = []

    def ask(query, body):
        statuses.append(server.request("POST", "/classify" + query, body)[0])

    threads = [threading.Thread(target=ask, args=(numbers.choice(QUERIES), numbers.choice(pictures)))
               for _ in range(REQUESTS)]
    for thread in threads:
        thread.start()
    # The most that is predicted; what was computed until then counts in neither.
    start, predicted = time.monotonic(), 0
    while any(thread.is_alive() for thread in threads):
        cost = server.metrics()[COST]
        if cost > predicted:
            start, predicted = time.monotonic(), cost
    took = time.monotonic() - start
    return predicted, took, statuses


def main(vgg, model=None):
    checks, numbers = Checks(), random.Random(7)
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        pictures = []
        for width, height in SIZES:
            side = Image.linear_gradient("L").resize((width, height))
            path = where / "photo.jpg"
            Image.merge("RGB", (side, side.rotate(180), side)).save(path, quality=90)
            pictures.append(path.read_bytes())
        scales = []
        if model is None:
            model, scales = where / "model.safetensors", ["--scales", "96,128,192"]
            subprocess.run([vgg, "init", "--arch", "D", "--width", "16", "--fc", "256", "--crop", "64",
                            "-o", model], check=True)
        server = Server(vgg, "--model", str(model), *scales, "--max-queue", "30m", "--deadline",
                        "30m")
        rounds = [round_of(server, pictures, numbers) for _ in range(ROUNDS)]
        statuses = [status for one in rounds for status in one[2]]
        checks.check(f"statuses {set(statuses)}", set(statuses) == {200})
        checks.check("every request was answered", len(statuses) == ROUNDS * REQUESTS)
        checks.check("something was predicted", all(one[0] > 0 for one in rounds))
        checks.check("nothing is left", server.metrics()[COST] == 0)
        checks.check("SIGTERM: exit status", server.stop() == 0)
    ratios = sorted(predicted / took for predicted, took, _ in rounds[1:])  # the first one learns
    print(f"measured: {REQUESTS} requests of {len(SIZES)} sizes at once, {ROUNDS} times: predicted over measured "
          f"seconds {statistics.median(ratios):.2f} at the median, {ratios[0]:.2f} to {ratios[-1]:.2f}; "
          f"{statistics.median(one[1] for one in rounds):.2f} s at the median")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
