#!/usr/bin/python3
"""Reloads under load: reloads.py VGG. RELOADS (default 200) says how many.

Two models, one of another configuration, width, crop and number of classes, take turns under wrk
with 16 connections. Nothing but 200 and explained 503s is answered, every reload succeeds, and
what is resident after the last one is what was after the tenth. Reported: p99 with reloads beside
p99 of either model alone.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from serving import Checks, Server, make_picture, report_of

RELOADS = int(os.environ.get("RELOADS", "200"))
CONNECTIONS = 16
ALONE_S = 10
JSON = {"Content-Type": "application/json"}


class Prober(threading.Thread):
    """Asks /readyz all the time."""

    def __init__(self, server):
        super().__init__()
        self.server, self.end, self.statuses = server, False, []

    def run(self):
        while not self.end:
            self.statuses.append(self.server.request("GET", "/readyz")[0])
            time.sleep(0.02)


def reload(server, model):
    return server.request("POST", "/admin/reload", json.dumps({"model": str(model)}), True, JSON)


def resident_at_rest(server):
    """What requests hold comes and goes: wait until there are none."""
    while server.metrics()["vgg_requests_in_flight"] > 1:
        time.sleep(0.05)
    return server.resident_kib()


def main(vgg):
    checks = Checks()
    with tempfile.TemporaryDirectory() as directory:
        where = pathlib.Path(directory)
        picture = make_picture(where / "photo.jpg")
        models = [where / "a.safetensors", where / "b.safetensors"]
        for model, options in zip(models, (
                ["--arch", "D", "--width", "8", "--fc", "128", "--crop", "64"],
                ["--arch", "E", "--width", "7", "--fc", "100", "--classes", "10", "--crop", "32"])):
            subprocess.run([vgg, "init", *options, "-o", model], check=True)
        server = Server(vgg, "--model", str(models[0]), "--scales", "64,96", "--max-queue", "60s")

        alone = []
        for model in models:
            reload(server, model)
            alone.append(report_of(server.start_wrk(CONNECTIONS, ALONE_S, picture)))

        before = server.metrics()
        prober = Prober(server)
        prober.start()
        wrk = server.start_wrk(CONNECTIONS, 3600, picture)
        time.sleep(1)
        good, took, resident = 0, [], {}
        for i in range(RELOADS):
            start = time.monotonic()
            status, body = reload(server, models[i % 2])
            took.append(time.monotonic() - start)
            good += status == 200
            if status != 200:
                print(f"reload {i + 1}: {status} {body.decode()}")
            if i + 1 in (10, RELOADS):
                wrk.send_signal(signal.SIGSTOP)
                resident[i + 1] = resident_at_rest(server)
                wrk.send_signal(signal.SIGCONT)
        time.sleep(1)  # wrk's main thread must be asleep again, or SIGINT does not end it
        wrk.send_signal(signal.SIGINT)
        report = report_of(wrk)
        prober.end = True
        prober.join()
        tenth, last = resident[min(10, RELOADS)], resident[RELOADS]
        after = server.metrics()

        def grown(series):
            return after[series] - before[series]

        checks.check(f"{good} of {RELOADS} reloads succeeded", good == RELOADS)
        checks.check("they were counted",
                     grown('vgg_model_reloads_total{result="ok"}') == RELOADS and
                     grown('vgg_model_reloads_total{result="failed"}') == 0)
        checks.check("something was answered", report["count_ok"] > RELOADS)
        checks.check(f"{report['count_other']:.0f} others than 200 and 503",
                     report["count_other"] == 0)
        for kind in ("connect", "read", "write", "timeout"):
            checks.check(f"{kind} errors: {report['errors_' + kind]:.0f}",
                         report["errors_" + kind] == 0)
        refused = grown('vgg_http_requests_total{route="/classify",code="503"}')
        shed = sum(grown(series) for series in after if series.startswith("vgg_requests_shed"))
        checks.check(f"{refused:.0f} answers 503, {shed:.0f} with a reason", refused == shed)
        checks.check("/readyz was 200 throughout",
                     prober.statuses and set(prober.statuses) == {200})
        checks.check(f"resident memory: {tenth} -> {last} KiB", abs(last - tenth) <= 0.02 * tenth)
        checks.check("SIGTERM: exit status", server.stop() == 0)

        slower = max(one["p99 ms"] for one in alone)
        took.sort()
        print(f"measured: {RELOADS} reloads under {CONNECTIONS} connections: {report['count_ok']:.0f} "
              f"answers, {refused:.0f} refused, {len(prober.statuses)} probes; resident after the "
              f"tenth {tenth} KiB, after the last {last} KiB")
        print(f"measured: a reload took {took[len(took) // 2]:.2f} s in the middle, {took[-1]:.2f} s at most")
        print("measured: p50, p99 of the models alone: " + ", ".join(
            f"{one['p50 ms']:.1f} {one['p99 ms']:.1f} ms" for one in alone) +
              f"; with reloads {report['p50 ms']:.1f} {report['p99 ms']:.1f} ms: "
              f"p99 {report['p99 ms'] / slower:.2f} times")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
