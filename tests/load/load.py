#!/usr/bin/python3
"""Photographs under wrk at several numbers of connections, beside what the machine can do.

    load.py VGG --model FILE [--precision LIST] [--query Q] [--connections LIST] [--seconds N]
            [--rounds N] [--photos DIR] [--json]

The photographs are those of DIR, else of $VGG_SHARED/data/trashnet, else made here. Connections ask
again as soon as they are answered, so the queue is as long as there are connections; the server
gets limits that let it be. Of several precisions (`f32,i8`) each has a server of its own, which take
turns. For each precision and number of connections:

    requests/s, p50, p95, p99   as wrk saw them
    errors                      answers other than 200, and connections that failed
    views a pass                how many views shared a pass over the weights, from /metrics
    of bench                    views a second, by the server's count between two moments of the
                                run, over those of `vgg bench` in batches of that size
    of FMA peak                 operations of the views as direct convolutions, over the peak that
                                `vgg bench` measured

Of several rounds the best counts, for wrk and for `vgg bench`: on a machine that others use too.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

from PIL import Image

SCRIPT = pathlib.Path(__file__).resolve().parent / "post.lua"
PHOTOS = 60  # at most
START, END = 0.2, 0.95  # of a run: between them it is steady
PERCENTILES = ("p50", "p95", "p99")


def photographs(arguments, directory):
    """Paths of JPEGs, evenly spread over the directory."""
    where = arguments.photos or pathlib.Path(os.environ.get("VGG_SHARED", "/nonexistent"),
                                             "data/trashnet")
    found = sorted(p for p in where.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if found:
        return found[::max(1, len(found) // PHOTOS)][:PHOTOS]
    numbers = random.Random(1)
    for i in range(8):
        image = Image.effect_noise((128, 96), 60).resize((512, 384), Image.BICUBIC)
        tints = [image.point(lambda v, t=numbers.random(): v * t) for _ in range(3)]
        Image.merge("RGB", tints).save(directory / f"{i}.jpg", quality=90)
    return sorted(directory.glob("*.jpg"))


class Server:
    def __init__(self, vgg, model, precision):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [vgg, "serve", "--model", model, "--precision", precision, "--listen", "127.0.0.1:0",
             "--admin-listen", "127.0.0.1:0", "--max-queue", "30m", "--deadline", "30m"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        ready = re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        if not ready:
            self.log.seek(0)
            sys.exit(f"load: the server did not start\n{self.log.read()}")
        self.port = int(ready.group(1))

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def views(self):
        """Time, views and passes until now."""
        text = self.request("GET", "/metrics")[1].decode()
        value = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        return (time.monotonic(), float(value["vgg_batch_views_sum"]),
                float(value["vgg_batch_views_count"]))

    def meet(self, arguments, photo):
        """Its answer to a photograph, which tells what it is and which sizes `vgg bench` takes."""
        status, body = self.request("POST", "/classify" + arguments.query, photo.read_bytes())
        if status != 200:
            sys.exit(f"load: {status} {body.decode()}")
        answer = json.loads(body)
        self.precision, self.kernels = answer["model"]["precision"], answer["model"]["kernel"]
        self.bench = Bench(arguments, view_sizes(answer), self.precision)
        return answer

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def view_sizes(answer):
    """WIDTHxHEIGHT of each scale of an answer."""
    width, height = answer["image"]["width"], answer["image"]["height"]
    short, long = min(width, height), max(width, height)
    sizes = [(scale * long // short, scale) for scale in answer["scales"]]
    return [f"{a}x{b}" if width >= height else f"{b}x{a}" for a, b in sizes]


class Bench:
    """`vgg bench` of the same views, by the number of them in a batch: the best of its runs."""

    def __init__(self, arguments, sizes, precision):
        self.command = [arguments.vgg, "bench", "--json", "--model", arguments.model, "--precision",
                        precision, "--sizes", ",".join(sizes), "--repeats", "3", "--batch"]
        self.machine = {}
        self.total_ms = {}  # batch: one for each size
        self.gflop_per_view = 0  # the mean over the sizes, as direct convolution

    def run(self, batch):
        result = json.loads(subprocess.run(self.command + [str(batch)], check=True,
                                           capture_output=True, text=True).stdout)
        for key, value in result["machine"].items():
            self.machine[key] = max(value, self.machine.get(key, value))
        runs = result["runs"]
        total_ms = [run["total_ms"] for run in runs]
        self.total_ms[batch] = list(map(min, total_ms, self.total_ms.get(batch, total_ms)))
        self.gflop_per_view = sum(layer["ms"] * layer["effective_gflops"] / 1e3 for run in runs
                                  for layer in run["layers"]) / batch / len(runs)

    def views_per_s(self, batch):
        return 1e3 * batch * len(self.total_ms[batch]) / sum(self.total_ms[batch])


class Row:
    """What came of one server and number of connections."""

    def __init__(self, server, connections):
        self.server, self.connections, self.views_per_s = server, connections, 0

    def run(self, arguments, photos):
        """Once more; the run that computed most views a second counts, errors always."""
        command = ["wrk", "-t", str(min(2, self.connections)), "-c", str(self.connections), "-d",
                   f"{arguments.seconds}s", "--timeout", "1800s", "-s", SCRIPT,
                   f"http://127.0.0.1:{self.server.port}/classify{arguments.query}", "--", *photos]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
            time.sleep(START * arguments.seconds)
            before = self.server.views()
            time.sleep((END - START) * arguments.seconds)
            after = self.server.views()
            text = wrk.communicate()[0]
        report = {name: float(value) for name, value in
                  re.findall(r"^(count_\w+|errors_\w+|requests/s|p\d+ ms) ([\d.]+)$", text, re.M)}
        seconds, views, passes = (b - a for a, b in zip(before, after))
        errors = int(sum(value for name, value in report.items()
                         if name.startswith("errors_") or name in ("count_shed", "count_other")))
        self.errors = getattr(self, "errors", 0) + errors + (report["count_ok"] == 0)
        if views / seconds >= self.views_per_s:
            self.report, self.views_per_s = report, views / seconds
            self.batch = views / passes if passes else 1

    def cells(self, arguments):
        bench = self.server.bench
        return (self.server.precision, self.connections, f"{self.report['count_ok'] / arguments.seconds:.2f}",
                *(f"{self.report[p + ' ms']:.0f}" for p in PERCENTILES), self.errors,
                f"{self.batch:.1f}",
                f"{self.views_per_s / bench.views_per_s(max(1, round(self.batch))):.2f}",
                f"{self.views_per_s * bench.gflop_per_view / bench.machine['fma_gflops']:.2f}")


def batches(server, rows):
    return {max(1, round(row.batch)) for row in rows if row.server is server}


TITLES = ("precision", "connections", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors", "views a pass",
          "of bench", "of FMA peak")


def print_row(cells):
    widths = (9, 11, 10, 8, 8, 8, 6, 12, 8, 11)
    print(" | ".join(str(cell).rjust(width) for cell, width in zip(cells, widths)), flush=True)


def describe(answer, servers, photos):
    bench = servers[0].bench
    print(f"model {answer['model']['name']}, {' and '.join(each.kernels for each in servers)} kernels, "
          f"{bench.machine['threads']} threads; {len(photos)} photographs at "
          f"{','.join(map(str, answer['scales']))}{' with mirrors' if answer['flip'] else ''}\n"
          f"this machine: {bench.machine['fma_gflops']:.0f} GFLOP/s by FMA "
          f"({bench.machine['isa']}), {bench.machine['read_gbps']:.0f} GB/s read\n")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("vgg")
    parser.add_argument("--model", required=True)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--query", default="")
    parser.add_argument("--connections", default="1,4,16,64")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--photos", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.query = arguments.query and "?" + arguments.query.lstrip("?")
    servers = [Server(arguments.vgg, arguments.model, precision)
               for precision in arguments.precision.split(",")]
    rows = [Row(server, int(n)) for n in arguments.connections.split(",") for server in servers]
    with tempfile.TemporaryDirectory() as directory:
        photos = photographs(arguments, pathlib.Path(directory))
        for server in servers:
            answer = server.meet(arguments, photos[0])
        for _ in range(arguments.rounds):
            for row in rows:
                row.run(arguments, photos)
            for server in servers:
                for batch in batches(server, rows):
                    server.bench.run(batch)
    ended_well = all([server.stop() == 0 for server in servers])
    for server in servers:
        for batch in batches(server, rows) - set(server.bench.total_ms):
            server.bench.run(batch)
    if arguments.json:
        print(json.dumps({"model": answer["model"], "scales": answer["scales"],
                          "seconds": arguments.seconds, "rounds": arguments.rounds, "rows": [
                              dict(zip(TITLES, row.cells(arguments))) for row in rows]}))
    else:
        describe(answer, servers, photos)
        print_row(TITLES)
        for row in rows:
            print_row(row.cells(arguments))
    return 0 if ended_well and not any(row.errors for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
